package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/internal/config"
	"berth/internal/cost"
	"berth/internal/plain"
	"berth/internal/release/git"
	"berth/internal/state"
)

// maxSubjects is how many commits a preview lists.
const maxSubjects = 20

// Announce says in the preview what would go out: the commits since the last release and what happens to services.
func (r *Release) Announce(ctx *pulumi.Context, cfg *config.Config, repo *git.Repository) error {
	before, err := released(ctx)
	if err != nil {
		return err
	}
	// What the images of the last release declared, the server finds again: the plan that goes to it is the same with every update.
	known := r
	if len(before.volumes) > 0 {
		if known, err = makeWith(ctx.Context(), cfg, repo, r.SHA, before.volumes); err != nil {
			return err
		}
	}
	text, err := known.describe(ctx.Context(), cfg, repo, before)
	if err != nil {
		return err
	}
	return ctx.Log.Info(plain.Text(text), nil)
}

// last is what the stack released last, by its outputs as they are.
type last struct {
	// commit is "" for none.
	commit string
	// volumes are those that its images declared themselves, by service.
	volumes map[string][]string
	// variables are the fingerprints of the app's, nil where they are not known.
	variables map[string]string
}

func released(ctx *pulumi.Context) (before last, err error) {
	outputs, err := state.Outputs(ctx)
	if err != nil {
		return last{}, err
	}
	before.commit, _ = outputs["commit"].(string)
	kept, _ := outputs["imageVolumes"].(map[string]any)
	before.volumes = map[string][]string{}
	for service, paths := range kept {
		list, _ := paths.([]any)
		for _, path := range list {
			before.volumes[service] = append(before.volumes[service], fmt.Sprint(path))
		}
	}
	if variables, ok := outputs["variables"].(map[string]any); ok {
		before.variables = map[string]string{}
		for variable, fingerprint := range variables {
			before.variables[variable] = fmt.Sprint(fingerprint)
		}
	}
	return before, nil
}

// changes is the plan's table of changes, with several servers with where each service runs.
func (r *Release) changes(cfg *config.Config, before *Plan) []string {
	if cfg.Servers.Several() {
		return r.Plan.ChangesOnServers(before)
	}
	return r.Plan.Changes(before)
}

func (r *Release) describe(ctx context.Context, cfg *config.Config, repo *git.Repository, before last) (string, error) {
	var lines []string
	switch before.commit {
	case "":
		lines = append([]string{fmt.Sprintf("first release: %.12s", r.SHA)}, r.changes(cfg, nil)...)
	case r.SHA:
		lines = []string{fmt.Sprintf("commit %.12s is what the stack released last; if routes, variables or other settings change, it is released again", r.SHA)}
		if cfg.Servers.Several() {
			lines = append(lines, r.Plan.Placement()...)
		}
	default:
		history, err := r.history(ctx, repo, before.commit)
		if err != nil {
			return "", err
		}
		lines = history
		there := r.Plan
		if last, err := makeWith(ctx, cfg, repo, before.commit, r.volumes); err == nil {
			there = last.Plan
		} else {
			// Today's settings may not fit it. Its services run all the same: none of this release starts from nothing.
			reason := err.Error()
			if _, first, several := strings.Cut(reason, "\n  - "); several {
				reason = first
			}
			reason, _, _ = strings.Cut(reason, "; ")
			reason, _, _ = strings.Cut(reason, "\n")
			lines = append(lines, fmt.Sprintf("what is released cannot be planned for a comparison (%s); the lines below assume that it has the same services", plain.Line(reason)))
		}
		lines = append(lines, r.changes(cfg, there)...)
		lines = append(lines, r.Plan.Upgrades(there)...)
	}
	lines = append(lines, r.describeExternal()...)
	lines = append(lines, r.describeVariables(before.variables)...)
	lines = append(lines, describeJobs(cfg.Jobs)...)
	if cfg.Servers.Several() {
		lines = append(lines, "cost: "+cost.Sentence(cfg))
	}
	for _, advice := range r.Advice {
		lines = append(lines, "advice: "+plain.Line(advice))
	}
	return strings.Join(lines, "\n  "), nil
}

// history says which commits lie between what is released and what would be.
func (r *Release) history(ctx context.Context, repo *git.Repository, before string) ([]string, error) {
	if err := repo.Fetch(ctx, before); err != nil && !errors.Is(err, git.ErrUnknownCommit) {
		return nil, err
	}
	change := fmt.Sprintf("release: %.12s -> %.12s", before, r.SHA)
	log, err := repo.Log(ctx, before, r.SHA, maxSubjects)
	if errors.Is(err, git.ErrUnknownCommit) {
		return []string{change + "; the repository no longer has the former, so what lies between is unknown"}, nil
	}
	if err != nil {
		return nil, err
	}
	count := log.Forward
	switch {
	case log.Forward > 0 && log.Back > 0:
		change += fmt.Sprintf(", another branch: %s in, %s out", commits(log.Forward), commits(log.Back))
	case log.Forward > 0:
		change += ", " + commits(log.Forward)
	default:
		change += fmt.Sprintf(", BACK by %s", commits(log.Back))
		count = log.Back
	}
	lines := []string{change}
	for _, subject := range log.Subjects {
		lines = append(lines, "  "+subject)
	}
	if more := count - len(log.Subjects); more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return lines, nil
}

func commits(count int) string {
	if count == 1 {
		return "1 commit"
	}
	return fmt.Sprintf("%d commits", count)
}
