package release

import (
	"regexp"
	"slices"
	"strings"

	"berth/internal/release/compose"
)

var (
	notInWords = regexp.MustCompile(`[^a-z0-9]+`)
	// schedulers are words of what starts work by the clock, workers of what takes it from a queue.
	schedulers = []string{"beat", "celerybeat", "cron", "crond", "cronjob", "clock", "clockwork", "scheduler", "schedule", "scheduled", "supercronic", "ofelia", "rq-scheduler", "whenever"}
	workers    = []string{"worker", "workers", "celery", "celeryd", "celeryworker", "sidekiq", "queue", "queues", "horizon", "resque", "rq", "rqworker", "dramatiq", "huey", "consumer", "consumers", "bullmq", "jobs", "good_job", "delayed_job", "solid_queue", "que", "faktory"}
	// byCommand matches commands of the two.
	schedules = regexp.MustCompile(`(?i)\bcelery\b.*\bbeat\b|schedule:(work|run)|\bcrond?\b|\bsupercronic\b|\bclockwork\b|\bairflow scheduler\b|\brqscheduler\b|\bscheduler\b`)
	works     = regexp.MustCompile(`(?i)\bcelery\b.*\bworker\b|queue:(work|listen)|\bhorizon\b|\bsidekiq\b|\brq worker\b|\brqworker\b|\bdramatiq\b|\bresque\b|jobs:work|solid_queue|good_job|messenger:consume|\bairflow (celery )?worker\b|\bqcluster\b`)
)

func nameWords(name string) []string { return notInWords.Split(strings.ToLower(name), -1) }

// twice names services that do their work twice for as long as two releases run beside each other.
func (f *findings) twice() {
	routed := map[string]bool{}
	for _, route := range f.cfg.Routes {
		routed[route.Service] = true
	}
	var byClock, byQueue []string
	for _, name := range f.plan.Stateless {
		service := f.model.Project.Services[name]
		if routed[name] || service.Labels["berth.stateful"]+service.Labels["berth.overlap"] != "" || f.runsOnce(name) || f.waitedFor(name) || f.cfg.ReleaseStrategy == "stop-first" {
			continue
		}
		words := nameWords(name)
		said := strings.Join(slices.Concat(service.Entrypoint, service.Command), " ")
		has := func(these []string) bool {
			return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(these, word) })
		}
		switch {
		case schedules.MatchString(said) || !works.MatchString(said) && has(schedulers):
			byClock = append(byClock, name)
		case works.MatchString(said) || has(workers):
			byQueue = append(byQueue, name)
		}
	}
	line := func(names []string) compose.Place { return f.source.At("services", names[0]) }
	const out = "to have the old one stopped before the new one starts, write at it: labels: {berth.overlap: \"false\"}; if two may run, \"true\""
	if len(byClock) > 0 {
		f.advise(aboutTwice, line(byClock), "while a release takes over, two of %s run beside each other, and both start what is due; %s", strings.Join(byClock, ", "), out)
	}
	if len(byQueue) > 0 {
		f.advise(aboutTwice, line(byQueue), "while a release takes over, two of %s run beside each other, the old code and the new on the same queue; if that does harm, %s", strings.Join(byQueue, ", "), out)
	}
}

// waitedFor says whether another service waits until a service has ended.
func (f *findings) waitedFor(name string) bool {
	for _, service := range f.model.Project.Services {
		if on, ok := service.DependsOn[name]; ok && on.Condition == "service_completed_successfully" {
			return true
		}
	}
	return false
}
