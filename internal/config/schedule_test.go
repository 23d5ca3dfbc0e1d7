package config

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSchedules: what people write for cron, as expressions of systemd.
func TestSchedules(t *testing.T) {
	for schedule, want := range map[string]string{
		"* * * * *":              "*-*-* *:*:00 UTC",
		"*/15 * * * *":           "*-*-* *:00,15,30,45:00 UTC",
		"5/20 3 * * *":           "*-*-* 03:05,25,45:00 UTC",
		" 0  4 * *  * ":          "*-*-* 04:00:00 UTC",
		"30 2 * * 1-5":           "Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00 UTC",
		"30 2 * * MON,Wed":       "Mon,Wed *-*-* 02:30:00 UTC",
		"0 0 * * 0":              "Sun *-*-* 00:00:00 UTC",
		"0 0 * * 7":              "Sun *-*-* 00:00:00 UTC",
		"0 0 * * 5-7":            "Sun,Fri,Sat *-*-* 00:00:00 UTC",
		"0 0 * * fri-sun":        "Sun,Fri,Sat *-*-* 00:00:00 UTC",
		"0 0 * * 0-7":            "*-*-* 00:00:00 UTC",
		"0 0 1,15 * *":           "*-*-01,15 00:00:00 UTC",
		"0 0 1 jan-mar *":        "*-01,02,03-01 00:00:00 UTC",
		"0 0 29 2 *":             "*-02-29 00:00:00 UTC",
		"0 0 13 * 5":             "*-*-13 00:00:00 UTC; Fri *-*-* 00:00:00 UTC",
		"0 0 */2 * 1":            "Mon *-*-01,03,05,07,09,11,13,15,17,19,21,23,25,27,29,31 00:00:00 UTC",
		"0-10/5,30 9-17/4 * * *": "*-*-* 09,13,17:00,05,10,30:00 UTC",
		"@daily":                 "*-*-* 00:00:00 UTC",
		"@hourly":                "*-*-* *:00:00 UTC",
		"@weekly":                "Sun *-*-* 00:00:00 UTC",
		"@Monthly":               "*-*-01 00:00:00 UTC",
		"0 3 1-31 * 1":           "*-*-* 03:00:00 UTC",
		"0 3 1 * 0-6":            "*-*-* 03:00:00 UTC",
		"0 0 31 2 1":             "Mon *-02-* 00:00:00 UTC",
		"0 0 * * fri-7":          "Sun,Fri,Sat *-*-* 00:00:00 UTC",
	} {
		all, err := calendars(schedule)
		require.NoError(t, err, schedule)
		assert.Equal(t, want, strings.Join(all, "; "), schedule)
	}
	for schedule, says := range map[string]string{
		"":                          "five fields",
		"weekly":                    "no word of cron's",
		"\x1b[31m":                  "no word of cron's",
		"Mon..Fri 08:00":            "five fields",
		"0 3 * *":                   "here are 4",
		"@reboot":                   "has times",
		"@fortnightly":              "these are @hourly",
		"60 * * * *":                "the minute is \"60\": a number from 0 to 59",
		"* 24 * * *":                "the hour",
		"* * 0 * *":                 "the day of the month",
		"* * * 13 *":                "the month",
		"* * * * 8":                 "the day of the week",
		"* * * * mo":                "the day of the week",
		"*/0 * * * *":               "a step",
		"*/+5 * * * *":              "a step",
		"*/ * * * *":                "a step",
		"10-5 * * * *":              "from the smaller",
		"* * * * 6-2":               "from the smaller",
		"1,,2 * * * *":              "a number",
		"-1 * * * *":                "a number",
		"+1 * * * *":                "a number",
		"0 0 30 2 *":                "no month has such a day",
		"0 0 31 4,6 *":              "no month has such a day",
		"0 0 4 * * *":               "five fields",
		"0 3 * * * root /bin/clean": "five fields",
	} {
		_, err := calendars(schedule)
		assert.ErrorContains(t, err, says, "%q", schedule)
	}
}

// matches is cron's own rule for a day and for a minute of it, by the text of the fields.
func matches(fields []string, at time.Time) (onDay, atMinute bool) {
	one := func(text string, value, first, last int) bool {
		for item := range strings.SplitSeq(text, ",") {
			numbers, stepText, _ := strings.Cut(item, "/")
			step, _ := strconv.Atoi(stepText)
			from, to, isRange := strings.Cut(numbers, "-")
			low, err := strconv.Atoi(from)
			high, _ := strconv.Atoi(to)
			switch {
			case err != nil:
				low, high = first, last
			case !isRange && step > 0:
				high = last
			case !isRange:
				high = low
			}
			for ; low <= high; low += max(step, 1) {
				if low == value {
					return true
				}
			}
		}
		return false
	}
	day := one(fields[2], at.Day(), 1, 31)
	weekday := one(fields[4], int(at.Weekday()), 0, 6) || at.Weekday() == time.Sunday && one(fields[4], 7, 0, 6)
	both := day && weekday
	if fields[2][0] != '*' && fields[4][0] != '*' {
		both = day || weekday
	}
	return both && one(fields[3], int(at.Month()), 1, 12), one(fields[0], at.Minute(), 0, 59) && one(fields[1], at.Hour(), 0, 23)
}

var elapses = regexp.MustCompile(`(?m)(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC$`)

// TestSystemdRunsWhatCronWould: the times that systemd itself finds for an expression are those of cron's rule.
func TestSystemdRunsWhatCronWould(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("this machine has no systemd-analyze")
	}
	begin := time.Date(2027, 12, 28, 22, 50, 0, 0, time.UTC)
	for _, schedule := range []string{
		"* * * * *", "*/7 * * * *", "5/20 3 * * *", "0 4 * * *", "30 2 * * 1-5", "0 0 * * 5-7", "0 0 * * 0-7", "0 12 13 * 5", "0 0 */2 * 1", "15 1 31 * *", "0 3 1-31 * 1", "0 3 1 * 0-6", "0 0 31 2 1",
		"0 0 29 2 *", "0-10/5,30 9-17/4 1-7 * *", "59 23 28-31 2,12 *", "0 6 1 1,7 *", "*/30 */6 * */3 */2",
	} {
		all, err := calendars(schedule)
		require.NoError(t, err, schedule)
		var found []string
		for _, one := range all {
			output, err := exec.CommandContext(t.Context(), analyze, "calendar", "--base-time="+begin.Format("2006-01-02 15:04:05")+" UTC", "--iterations=12", one).CombinedOutput()
			require.NoError(t, err, "%s: %s", schedule, output)
			for _, match := range elapses.FindAllStringSubmatch(string(output), -1) {
				found = append(found, match[1])
			}
		}
		slices.Sort(found)
		found = slices.Compact(found)
		require.NotEmpty(t, found, schedule)
		found = found[:min(8, len(found))]
		var want []string
		for at := begin.Add(time.Minute); len(want) < len(found); {
			require.Less(t, at.Year(), 2062, schedule)
			onDay, atMinute := matches(strings.Fields(schedule), at)
			switch {
			case !onDay:
				at = at.Truncate(24 * time.Hour).Add(24 * time.Hour)
				continue
			case atMinute:
				want = append(want, at.Format("2006-01-02 15:04:05"))
			}
			at = at.Add(time.Minute)
		}
		assert.Equal(t, want, found, fmt.Sprint(schedule, all))
	}
}

// FuzzSchedules: whatever is written, an expression is one that systemd takes, or it is refused in one line.
func FuzzSchedules(f *testing.F) {
	for _, seed := range []string{"* * * * *", "0 0 13 * 5", "@daily", "Mon..Fri 08:00", "1-2/3,4 5 6 jul sun", "\x00", "a b c d e"} {
		f.Add(seed)
	}
	sound := regexp.MustCompile(`^((Sun|Mon|Tue|Wed|Thu|Fri|Sat)(,(Sun|Mon|Tue|Wed|Thu|Fri|Sat))* )?\*-(\*|\d\d(,\d\d)*)-(\*|\d\d(,\d\d)*) (\*|\d\d(,\d\d)*):(\*|\d\d(,\d\d)*):00 UTC$`)
	f.Fuzz(func(t *testing.T, schedule string) {
		all, err := calendars(schedule)
		if err != nil {
			assert.NotRegexp(t, `[\x00-\x1f\x7f]`, err.Error())
			return
		}
		require.NotEmpty(t, all)
		for _, one := range all {
			assert.Regexp(t, sound, one)
		}
	})
}
