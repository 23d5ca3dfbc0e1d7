package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// calendars are the systemd calendar expressions, in UTC, of a schedule: cron's five fields, or one of cron's words. There are two where
// cron takes either of two conditions and one expression would take both.
func calendars(schedule string) ([]string, error) {
	fields := strings.Fields(schedule)
	if len(fields) == 1 {
		word := strings.ToLower(fields[0])
		if word == "@reboot" {
			return nil, errors.New("a job has times, and @reboot is none; what has to run whenever the server does is a service of the compose file")
		}
		if scheduleWords[word] == "" {
			return nil, fmt.Errorf("%s is no word of cron's; these are @hourly, @daily, @weekly, @monthly and @yearly", shown(harmless(word)))
		}
		fields = strings.Fields(scheduleWords[word])
	}
	if len(fields) != 5 {
		return nil, fmt.Errorf("cron has five fields: minute, hour, day of the month, month, day of the week; here are %d, and a job has neither seconds, nor a user, nor its command there", len(fields))
	}
	times, err := cron(fields)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, when := range times {
		if when.happens() {
			all = append(all, when.String())
		}
	}
	if all == nil {
		return nil, errors.New("no month has such a day, so it would never run")
	}
	return all, nil
}

// scheduleWords are cron's words as its fields. Source: crontab(5).
var scheduleWords = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}

// part is a part of a time: what it is called, its bounds, and names for its numbers from the first on.
type part struct {
	name        string
	first, last int
	names       []string
}

var (
	minutes  = part{"the minute", 0, 59, nil}
	hours    = part{"the hour", 0, 23, nil}
	days     = part{"the day of the month", 1, 31, nil}
	months   = part{"the month", 1, 12, []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}}
	weekdays = part{"the day of the week", 0, 6, []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}}
)

// moments are when something runs: nil lists are all of a part.
type moments struct {
	weekdays, months, days, hours, minutes []int
}

// String is the expression for systemd.
func (m moments) String() string {
	text := ""
	if m.weekdays != nil {
		var names []string
		for _, day := range m.weekdays {
			names = append(names, strings.ToUpper(weekdays.names[day][:1])+weekdays.names[day][1:3])
		}
		text = strings.Join(names, ",") + " "
	}
	return text + "*-" + listed(m.months) + "-" + listed(m.days) + " " + listed(m.hours) + ":" + listed(m.minutes) + ":00 UTC"
}

func listed(numbers []int) string {
	if numbers == nil {
		return "*"
	}
	var all []string
	for _, number := range numbers {
		all = append(all, fmt.Sprintf("%02d", number))
	}
	return strings.Join(all, ",")
}

// happens says whether there is such a day in any month.
func (m moments) happens() bool {
	if m.days == nil {
		return true
	}
	longest := 31
	if m.months != nil {
		longest = 0
		for _, month := range m.months {
			longest = max(longest, []int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1])
		}
	}
	return m.days[0] <= longest
}

// cron reads the five fields. Where days of the month and of the week are both named, either is enough. Source: crontab(5).
func cron(fields []string) ([]moments, error) {
	var when moments
	for i, field := range []struct {
		part part
		into *[]int
	}{{minutes, &when.minutes}, {hours, &when.hours}, {days, &when.days}, {months, &when.months}, {weekdays, &when.weekdays}} {
		var err error
		if *field.into, err = field.part.list(fields[i]); err != nil {
			return nil, err
		}
	}
	// What begins with a * names no days, whatever its step.
	if fields[2][0] == '*' || fields[4][0] == '*' {
		return []moments{when}, nil
	}
	other := when
	when.weekdays, other.days = nil, nil
	switch {
	case when.days == nil:
		return []moments{when}, nil
	case other.weekdays == nil:
		return []moments{other}, nil
	}
	return []moments{when, other}, nil
}

// list reads numbers of a part, nil for all.
func (p part) list(text string) ([]int, error) {
	wrong := func(why string) ([]int, error) {
		return nil, fmt.Errorf("%s is %s: %s", p.name, shown(text), why)
	}
	found := map[int]bool{}
	for item := range strings.SplitSeq(text, ",") {
		numbers, stepText, steps := strings.Cut(item, "/")
		step := 1
		if steps {
			var err error
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 || step > p.last || stepText[0] == '+' {
				return wrong(fmt.Sprintf("a step is a whole number from 1 to %d", p.last))
			}
		}
		from, end := p.first, p.last
		if numbers != "*" {
			first, last, isRange := strings.Cut(numbers, "-")
			var err error
			if from, err = p.number(first); err != nil {
				return wrong(err.Error())
			}
			if end = from; isRange {
				if end, err = p.number(last); err != nil {
					return wrong(err.Error())
				}
			} else if steps {
				end = p.last
			}
			// A week ends with Sunday as well as it begins with it.
			if p.name == weekdays.name && isRange && end == 0 {
				end = 7
			}
		}
		if end < from {
			return wrong("a range goes from the smaller number to the larger one")
		}
		for number := from; number <= end; number += step {
			if p.name == weekdays.name {
				found[number%7] = true
			} else {
				found[number] = true
			}
		}
	}
	if len(found) == p.last-p.first+1 {
		return nil, nil
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// number reads a number of a part, or its name.
func (p part) number(text string) (int, error) {
	text = strings.ToLower(text)
	for i, name := range p.names {
		if text == name || text == name[:3] {
			return p.first + i, nil
		}
	}
	number, err := strconv.Atoi(text)
	last := p.last
	if p.name == weekdays.name {
		last = 7 // Sunday once more
	}
	if err != nil || number < p.first || number > last || strings.ContainsAny(text, "+-") || len(text) > 2 {
		return 0, fmt.Errorf("a number from %d to %d is required", p.first, last)
	}
	return number, nil
}
