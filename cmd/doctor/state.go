package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"al.essio.dev/pkg/shellescape"
)

// state finds where Pulumi keeps its state.
func (d *doctor) state(ctx context.Context) finding {
	output, err := d.runPulumi(ctx, "whoami", "--json")
	if err != nil {
		explained := explain(err, "production")
		var known *unreadable
		if errors.As(explained, &known) {
			return known.finding
		}
		return fail("state-not-known", "", "ask Pulumi where its state is: %s", err)
	}
	var who struct{ URL string }
	if err := json.Unmarshal([]byte(output), &who); err != nil {
		return warn("state-place-not-known", "", "where the state is kept is unknown: what pulumi whoami --json says is not what this doctor understands")
	}
	shown := who.URL
	where, err := url.Parse(who.URL)
	if err == nil {
		shown = where.Redacted()
	}
	if strings.HasPrefix(who.URL, "file:") && (err != nil || where.Query().Get("metadata") != "skip") {
		return warn("state-without-atomic-writes", "pulumi login "+shellescape.Quote(strings.SplitN(who.URL, "?", 2)[0]+"?metadata=skip"), "it is kept in %s; an update that is killed could leave it unreadable there (docs/state.md)", shown)
	}
	return fine("kept in %s", shown)
}
