package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"
)

// defaults are what Pulumi.yaml gives the settings that it gives something, as Pulumi hands it over.
var defaults = map[string]string{
	"acmeDirectory": letsEncrypt, "composeFile": "compose.yaml", "createZone": "false", "drainWithin": "30", "dumpBucket": "false",
	"healthyWithin": "300", "instanceType": "t3.micro", "keepReleases": "3", "protect": "true", "ref": "main", "region": "eu-central-1",
	"releaseStrategy": BlueGreen, "snapshotsKept": "7", "volumeSize": "20", "vpcCidr": "10.20.0.0/16",
}

// adopt makes the settings of a project with another name Berth's: `pulumi new` lets everyone choose a name, and to Pulumi
// a setting without a namespace (pulumi config set volumeSize 40) is the project's. What stands under either is taken; what
// stands under both and differs is refused, as one of the two would be ignored.
func (l *loader) adopt(project string) {
	own := project + ":"
	if own == namespace {
		return
	}
	given, isSecret := l.settings, l.isSecret
	l.settings = maps.Clone(given)
	adopted := map[string]bool{}
	for _, full := range slices.Sorted(maps.Keys(given)) {
		key, projects := strings.CutPrefix(full, own)
		if !projects {
			continue
		}
		take := "pulumi config rm " + shellescape.Quote(full)
		value, berths := given[full], given[namespace+key]
		switch {
		case !slices.Contains(Keys(), key):
			l.problems = append(l.problems, Problem{Setting: harmless(full), Allowed: "there is no such setting" + nearest(key, Keys()), Mend: take})
		case unset(value) || value == defaults[key] && !unset(berths) || value == berths:
		case !unset(berths):
			l.problems = append(l.problems, Problem{Setting: harmless(full), Allowed: fmt.Sprintf("%s%s is set, too, to something else; one of them has to go", namespace, key), Mend: take})
		default:
			l.settings[namespace+key], adopted[namespace+key] = value, true
		}
	}
	l.isSecret = func(key string) bool {
		if adopted[key] {
			return isSecret(own + strings.TrimPrefix(key, namespace))
		}
		return isSecret(key)
	}
}
