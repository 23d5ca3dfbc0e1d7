package kubernetes

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// labelApp selects the pods of a service.
const labelApp = "app.kubernetes.io/name"

// maker holds what manifests are made with, and what is made so far.
type maker struct {
	*Given
	*app
	*names
	// called are the services' names in Kubernetes.
	called map[string]string
	// objects are those of the kustomization by file, byHand those that are created when they are needed.
	objects, byHand map[string][]runtime.Object
	// keys are those of each Secret, with where its value comes from.
	keys map[string]map[string]string
	// notes are what does not carry over, by the service that it is about, "" for the app.
	notes map[string][]string
}

// Make writes the manifests of a release: files by their paths below one folder.
func Make(given *Given) (map[string][]byte, error) {
	plan, err := read(given.Plan)
	if err != nil {
		return nil, err
	}
	m := &maker{
		Given: given, app: plan, names: &names{map[string]string{}}, called: map[string]string{},
		objects: map[string][]runtime.Object{}, byHand: map[string][]runtime.Object{}, keys: map[string]map[string]string{}, notes: map[string][]string{},
	}
	for _, name := range m.services() {
		if m.called[name], err = m.named("service", name); err != nil {
			return nil, err
		}
	}
	for _, name := range m.services() {
		if err := m.service(name); err != nil {
			return nil, err
		}
	}
	for _, step := range []func() error{m.aliases, m.ingress, m.claims, m.migration, m.cronJobs, m.restore} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	m.aboutTheApp()
	return m.files()
}

func (m *maker) note(service, format string, args ...any) {
	said := fmt.Sprintf(format, args...)
	if !slices.Contains(m.notes[service], said) {
		m.notes[service] = append(m.notes[service], said)
	}
}

func (m *maker) add(file string, made ...runtime.Object) {
	if len(made) == 0 {
		return
	}
	m.objects[file+".yaml"] = append(m.objects[file+".yaml"], made...)
}

// secret notes a key of a Secret, and where its value comes from.
func (m *maker) secret(name, key, from string) {
	if m.keys[name] == nil {
		m.keys[name] = map[string]string{}
	}
	m.keys[name][key] = from
}

func labels(name string) map[string]string {
	return map[string]string{labelApp: name}
}

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Labels: labels(name)} }

// files are all that is written. One that still has a placeholder of a secret is refused: Kubernetes would take it for the value.
func (m *maker) files() (map[string][]byte, error) {
	all := map[string][]byte{}
	for file, objects := range m.objects {
		all[file] = nil
		for _, one := range objects {
			written, err := document(one)
			if err != nil {
				return nil, fmt.Errorf("write %s: %w", file, err)
			}
			all[file] = append(all[file], written...)
		}
	}
	kustomization := object{
		"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": sorted(all),
	}
	if images := m.images(); len(images) > 0 {
		kustomization["images"] = images
	}
	for file, objects := range m.byHand {
		for _, one := range objects {
			written, err := document(one)
			if err != nil {
				return nil, fmt.Errorf("write %s: %w", file, err)
			}
			all[path.Join("by-hand", file)] = append(all[path.Join("by-hand", file)], written...)
		}
	}
	written, err := yaml.Marshal(kustomization)
	if err != nil {
		return nil, fmt.Errorf("write kustomization.yaml: %w", err)
	}
	all["kustomization.yaml"] = written
	all["NOTES.md"] = []byte(m.notesFile())
	for _, file := range sorted(all) {
		if names := references(string(all[file])); len(names) > 0 {
			return nil, fmt.Errorf("%s would hold the secret %s where Kubernetes takes no reference to one; hand it over as a variable of the container, so nothing was written", file, strings.Join(names, ", "))
		}
	}
	return all, nil
}

// document is an object as YAML, without what the server of Kubernetes fills in.
func document(one runtime.Object) ([]byte, error) {
	written, err := yaml.Marshal(one)
	if err != nil {
		return nil, err
	}
	var whole object
	if err := yaml.Unmarshal(written, &whole); err != nil {
		return nil, err
	}
	delete(whole, "status")
	if written, err = yaml.Marshal(withoutEmpty(whole)); err != nil {
		return nil, err
	}
	return append([]byte("---\n"), bytes.TrimLeft(written, "\n")...), nil
}

// withoutEmpty leaves out what is null or, of Kubernetes' own making, empty.
func withoutEmpty(value any) any {
	switch value := value.(type) {
	case object:
		for key, one := range value {
			if inner, ok := one.(object); one == nil || ok && len(inner) == 0 && slices.Contains([]string{"metadata", "resources", "status", "strategy", "updateStrategy"}, key) {
				delete(value, key)
				continue
			}
			value[key] = withoutEmpty(one)
		}
	case []any:
		for i, one := range value {
			value[i] = withoutEmpty(one)
		}
	}
	return value
}

// registry is where the images that Berth builds on the server would be; the name does not exist.
const registry = "registry.example.com"

// images are those that have to be pushed, for the kustomization.
func (m *maker) images() (all []object) {
	seen := map[string]bool{}
	for _, name := range m.built() {
		seen[m.called[name]] = true
	}
	for _, name := range sorted(seen) {
		all = append(all, object{"name": registry + "/" + name, "newName": registry + "/" + name, "newTag": m.tag()})
	}
	return all
}

func (m *maker) tag() string { return m.Commit[:min(12, len(m.Commit))] }

// image is a service's.
func (m *maker) image(name string, definition object) string {
	if of, ok := m.built()[name]; ok {
		return registry + "/" + m.called[of] + ":" + m.tag()
	}
	return text(definition["image"])
}

// configMap is one of texts.
func configMap(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: meta(name), Data: data}
}
