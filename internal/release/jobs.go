package release

import (
	"fmt"
	"slices"
	"strings"

	"berth/internal/config"
	"berth/internal/release/compose"
)

// jobs finds scheduled jobs that the app has no container for: each runs in one of its own, which a persistent service never has
// beside its only one.
func (f *findings) jobs() {
	for i, job := range f.cfg.Jobs {
		fix := fmt.Sprintf("pulumi config set --path 'berth:jobs[%d].service' NAME", i)
		because, persistent := f.plan.Because[job.Service]
		switch {
		case persistent:
			f.problem("job-service-persistent", compose.Place{}, "job %s of berth:jobs runs in service %s, which is persistent, because %s, and never runs twice; name one that every release replaces (these are: %s): %s", job.Name, job.Service, because, strings.Join(f.plan.Stateless, ", "), fix)
		case !slices.Contains(f.plan.Stateless, job.Service):
			f.problem("job-service-missing", compose.Place{}, "job %s of berth:jobs names service %s, which the compose file does not have; name one that every release replaces (these are: %s): %s", job.Name, job.Service, strings.Join(f.plan.Stateless, ", "), fix)
		}
	}
}

// describeJobs says what runs at which times.
func describeJobs(jobs []config.Job) (lines []string) {
	for _, job := range jobs {
		lines = append(lines, fmt.Sprintf("job %s runs in %s: %s (%s)", job.Name, job.Service, job.Schedule, strings.Join(job.Calendars, "; ")))
	}
	return lines
}
