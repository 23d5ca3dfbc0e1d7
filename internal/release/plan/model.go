package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Model is Compose's normalised model of an app, as `docker compose config --format json` prints it. What no rule reads is
// kept as it is.
type Model struct {
	Services map[string]*Service
	Volumes  map[string]object
	Networks map[string]object
	Secrets  map[string]object
	Configs  map[string]object
}

// object is a part of the model as it is.
type object = map[string]any

// Service is what the rules read of a service.
type Service struct {
	Image         string
	Build         *Build
	ContainerName string `json:"container_name"`
	NetworkMode   string `json:"network_mode"`
	Restart       string
	Labels        object
	Environment   object
	Volumes       []Mount
	Tmpfs         texts
	Links         []string
	Ports         []any
	VolumesFrom   []any                 `json:"volumes_from"`
	DependsOn     map[string]Dependency `json:"depends_on"`
	Networks      map[string]object
	Secrets       []any
	Configs       []any
	Healthcheck   *struct {
		Disable bool
		Test    texts
	}
	Deploy struct {
		Labels        object
		Replicas      *float64
		RestartPolicy *struct {
			Condition   string
			MaxAttempts float64 `json:"max_attempts"`
		} `json:"restart_policy"`
	}
	Scale *float64

	hasImage bool
	raw      object
}

// Dependency is a service that another one waits for.
type Dependency struct {
	Condition string
	Required  *bool
}

// Mount is one of a service's volumes.
type Mount struct {
	Type, Source, Target string
	ReadOnly             bool `json:"read_only"`
	Volume               struct{ Subpath string }
}

// Build is how the image of a service is built.
type Build struct {
	Context, Dockerfile string
	Inline              *string `json:"dockerfile_inline"`
	Target              string
	Args                object
	AdditionalContexts  map[string]string `json:"additional_contexts"`

	raw object
}

// MarshalJSON is the build as the compose file has it.
func (b Build) MarshalJSON() ([]byte, error) { return json.Marshal(b.raw) }

// UnmarshalJSON reads a build as a plan or a model has it.
func (b *Build) UnmarshalJSON(text []byte) error {
	type fields Build
	read := fields{}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	*b = Build(read)
	return json.Unmarshal(text, &b.raw)
}

// texts is a list of texts, which may be written as one.
type texts []string

func (t *texts) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

// ReadModel reads the model, with the images that replace what services build or name.
func ReadModel(text []byte, images map[string]string) (*Model, error) {
	var model struct {
		Services                            map[string]object
		Volumes, Networks, Secrets, Configs map[string]object
	}
	if err := json.Unmarshal(text, &model); err != nil {
		return nil, fmt.Errorf("read the compose file's model: %w", err)
	}
	read := &Model{Services: map[string]*Service{}, Volumes: model.Volumes, Networks: model.Networks, Secrets: model.Secrets, Configs: model.Configs}
	for name, raw := range model.Services {
		if raw == nil {
			raw = object{}
		}
		if image, ok := images[name]; ok {
			delete(raw, "build")
			raw["image"] = image
		}
		service, err := readService(raw)
		if err != nil {
			return nil, fmt.Errorf("read service %s of the compose file's model: %w", name, err)
		}
		read.Services[name] = service
	}
	return read, nil
}

func readService(raw object) (*Service, error) {
	service := &Service{raw: raw}
	text, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, service); err != nil {
		return nil, err
	}
	_, service.hasImage = raw["image"].(string)
	service.oneRestart()
	return service, nil
}

// oneRestart leaves one of the two places of a restart policy. Compose takes deploy.restart_policy before restart, and "any"
// and nothing for always.
func (s *Service) oneRestart() {
	policy := s.Deploy.RestartPolicy
	if policy == nil {
		return
	}
	switch policy.Condition {
	case "none":
		s.Restart = "no"
	case "on-failure":
		s.Restart = "on-failure"
		if policy.MaxAttempts > 0 {
			s.Restart += fmt.Sprintf(":%v", policy.MaxAttempts)
		}
	default:
		s.Restart = "always"
	}
	s.raw["restart"] = s.Restart
	deploy, _ := s.raw["deploy"].(object)
	delete(deploy, "restart_policy")
}

// definition is a copy of the service, to change.
func (s *Service) definition() object { return copied(s.raw).(object) }

// label is a label's value as text, whatever YAML made of it.
func (s *Service) label(name string) string { return asText(s.Labels[name]) }

// networks are those that only the service is in, with what it says of each.
func (s *Service) networks() map[string]object {
	if s.NetworkMode != "" {
		return nil
	}
	if s.Networks == nil {
		return map[string]object{"default": {}}
	}
	all := map[string]object{}
	for name, network := range s.Networks {
		if network == nil {
			network = object{}
		}
		all[name] = network
	}
	return all
}

// replicas is how often the service runs.
func (s *Service) replicas() float64 {
	one := 1.0
	return *cmp.Or(s.Deploy.Replicas, s.Scale, &one)
}

func (m Mount) named() bool { return m.Type == "volume" && m.Source != "" }

// volumeName is what Docker calls a volume of the compose file.
func (m *Model) volumeName(volume string) string {
	if name, ok := m.Volumes[volume]["name"].(string); ok {
		return name
	}
	return project + "_" + volume
}

func (m *Model) externalNetwork(name string) bool { return m.Networks[name]["external"] == true }

// files are the files of secrets or configs, by name.
func files(of map[string]object) map[string]string {
	all := map[string]string{}
	for name, one := range of {
		if file, ok := one["file"].(string); ok {
			all[name] = file
		}
	}
	return all
}

// copied is a deep copy of decoded JSON.
func copied(value any) any {
	switch value := value.(type) {
	case object:
		all := make(object, len(value))
		for key, one := range value {
			all[key] = copied(one)
		}
		return all
	case []any:
		all := make([]any, 0, len(value))
		for _, one := range value {
			all = append(all, copied(one))
		}
		return all
	default:
		return value
	}
}

// asText is a value of the model as text, "" for none.
func asText(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case bool:
		if !value {
			return ""
		}
	case string:
		return value
	}
	return asJSON(value)
}

// asJSON is a value as JSON, for a sentence.
func asJSON(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// sorted are the keys of a map in their order.
func sorted[V any](of map[string]V) []string { return slices.Sorted(maps.Keys(of)) }

// Paths are the files and folders that the model names: what is built and mounted, and the files of secrets and configs.
func (m *Model) Paths() []string {
	var paths []string
	for _, service := range m.Services {
		if service.Build != nil {
			paths = append(paths, service.Build.Context)
		}
		for _, mount := range service.Volumes {
			if mount.Type == "bind" {
				paths = append(paths, mount.Source)
			}
		}
	}
	return unique(slices.Concat(paths, slices.Collect(maps.Values(files(m.Secrets))), slices.Collect(maps.Values(files(m.Configs)))))
}
