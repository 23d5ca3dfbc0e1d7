package release

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"berth/internal/release/trust"
)

// withoutEffect advises of what the file says and the server does not do: nothing is passed over in silence.
func (f *findings) withoutEffect() error {
	classes, err := trust.Classes()
	if err != nil {
		return err
	}
	var model map[string]any
	if err := json.Unmarshal(f.commit.Model, &model); err != nil {
		return nil // The plan has read it.
	}
	services := map[string][]string{}
	for _, class := range classes {
		if !class.Ignored {
			continue
		}
		for key := range strings.FieldsSeq(class.Keys) {
			for _, path := range paths(model, strings.Split(class.At+"."+key, "."), nil) {
				// Below a list there is a number: a reader searches for services.NAME.deploy.update_config.
				shown := strings.Join(path[2:min(len(path), 4)], ".")
				if !slices.Contains(services[shown], path[1]) {
					services[shown] = append(services[shown], path[1])
				}
			}
		}
	}
	// The model is without it.
	for name := range f.model.Project.Services {
		if f.source.At("services", name, "develop") != f.source.At("services", name) {
			services["develop"] = append(services["develop"], name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(services)) {
		names := slices.Sorted(slices.Values(services[key]))
		f.advise(aboutNames, f.source.At(append([]string{"services", names[0]}, strings.Split(key, ".")...)...), "%s of %s has no effect here: only Swarm, or a developer's machine, reads it", key, strings.Join(names, ", "))
	}
	return nil
}
