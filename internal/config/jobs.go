package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Job is a command that runs at set times in a container of its own, as the release that serves has its service.
type Job struct {
	Name    string `json:"name"`
	Service string `json:"service"`
	Command string `json:"command"`
	// Schedule is what the stack says, Calendars are that as expressions of systemd.
	Schedule  string   `json:"schedule"`
	Calendars []string `json:"calendars"`
	// Timeout is after how many seconds it is ended.
	Timeout int `json:"timeout"`
}

const (
	// maxJobs bounds what the health check asks about every minute.
	maxJobs = 50
	// A job that is never ended would keep its release on the disk.
	minJob, maxJob, usualJob = 10, 86400, 3600
)

var (
	jobName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
	jobFields = []string{"command", "name", "schedule", "service", "timeout"}
)

// setJob is the command that sets a whole job.
func setJob(i int) string {
	at := fmt.Sprintf("jobs[%d].", i)
	return set(at+"name", "nightly") + " && " + set(at+"schedule", "30 2 * * *") + " && " + set(at+"service", "web") + " && " + set(at+"command", "./cleanup")
}

// jobs reads what runs at set times.
func (l *loader) jobs() {
	var elements []json.RawMessage
	if !l.decode("jobs", &elements, "a list of {name, schedule, service, command}", "pulumi config rm berth:jobs && "+setJob(0)) {
		return
	}
	if len(elements) > maxJobs {
		l.problem("jobs-too-many", "jobs", fmt.Sprint(len(elements), " jobs"), fmt.Sprintf("there are %d at most; have one command do several things", maxJobs), remove(fmt.Sprintf("jobs[%d]", len(elements)-1)))
		return
	}
	var seen []string
	for i, element := range elements {
		at := fmt.Sprintf("jobs[%d]", i)
		job, ok := l.job(at, element)
		if job.Name != "" && slices.Contains(seen, job.Name) {
			l.problem("job-name-twice", at+".name", job.Name, "another job has the name", set(at+".name", "nightly-2"))
			ok = false
		}
		seen = append(seen, job.Name)
		if ok {
			l.config.Jobs = append(l.config.Jobs, job)
		}
	}
}

// job reads one, and says of each field what is wrong with it.
func (l *loader) job(at string, element json.RawMessage) (job Job, ok bool) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(element, &fields); err != nil || fields == nil {
		l.problem("job-wrong-kind", at, string(element), "a job is {name, schedule, service, command}", remove(at))
		return job, false
	}
	before := len(l.problems)
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(jobFields, field) {
			l.problem("job-field-unknown", pathInto(at, field), "", "a job has name, schedule, service and command, and may have timeout"+nearest(field, jobFields), remove(pathInto(at, field)))
		}
	}
	text := func(field string) string {
		value, isText := scalar(fields[field])
		if !isText {
			return ""
		}
		return value
	}
	job.Name, job.Service, job.Command = text("name"), text("service"), text("command")
	job.Schedule = strings.Join(strings.Fields(text("schedule")), " ")
	if !jobName.MatchString(job.Name) {
		l.problem("job-name-invalid", at+".name", job.Name, "a name is required, of at most 40 small letters, digits and dashes, with a letter or a digit at both ends", set(at+".name", "nightly"))
	}
	var err error
	if job.Calendars, err = calendars(job.Schedule); err != nil {
		l.problem("job-schedule-invalid", at+".schedule", job.Schedule, "cron's five fields or a word such as @daily are required, in UTC: "+err.Error(), set(at+".schedule", "30 2 * * *"))
	}
	if !serviceText.MatchString(job.Service) {
		l.problem("job-service-invalid", at+".service", job.Service, "a service of the compose file is required", set(at+".service", "web"))
	}
	if strings.TrimSpace(job.Command) == "" || strings.ContainsAny(job.Command, "\x00\r\n") || len(job.Command) > maxCommand {
		l.problem("job-command-invalid", at+".command", "", fmt.Sprintf("a command for the container's shell is required, one line of at most %d bytes", maxCommand), set(at+".command", "./cleanup"))
	}
	job.Timeout = usualJob
	if value, there := fields["timeout"]; there {
		if err := json.Unmarshal(value, &job.Timeout); err != nil || string(value) == "null" || job.Timeout < minJob || job.Timeout > maxJob {
			l.problem("job-timeout-invalid", at+".timeout", string(value), fmt.Sprintf("a whole number of seconds from %d to %d is required, after which the job is ended", minJob, maxJob), set(at+".timeout", fmt.Sprint(usualJob)))
		}
	}
	return job, len(l.problems) == before
}
