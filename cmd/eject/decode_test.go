package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation"
)

// one is an object of a file, and how it is called.
type one struct {
	object runtime.Object
	meta   metav1.Object
	kind   string
}

// decoded reads every document of every file strictly: an unknown field, a field twice and a kind that is not known are errors.
func decoded(t *testing.T, files map[string][]byte) map[string]one {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		require.NoError(t, add(scheme))
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	all := map[string]one{}
	for name, content := range files {
		if !strings.HasSuffix(name, ".yaml") || name == "kustomization.yaml" {
			continue
		}
		for i, text := range bytes.Split(append([]byte("\n"), content...), []byte("\n---\n")) {
			if len(bytes.TrimSpace(text)) == 0 {
				continue
			}
			object, kind, err := strict.Decode(text, nil, nil)
			require.NoErrorf(t, err, "%s: %s", name, text)
			accessor, err := meta.Accessor(object)
			require.NoError(t, err)
			all[fmt.Sprintf("%s %d", name, i)] = one{object, accessor, kind.Kind}
		}
	}
	return all
}

// consistent checks what no decoder does: names are those that Kubernetes takes, and what is referred to is there.
func consistent(t *testing.T, all map[string]one, notes string) {
	t.Helper()
	c := &checker{t: t, notes: notes, there: map[string]runtime.Object{}}
	for at, one := range all {
		name := one.meta.GetName()
		assert.Empty(t, validation.IsDNS1035Label(name), "%s: %s", at, name)
		id := one.kind + " " + name
		assert.NotContains(t, c.there, id, at)
		c.there[id] = one.object
	}
	for _, one := range all {
		switch object := one.object.(type) {
		case *appsv1.Deployment:
			c.pods(object.Name, object.Spec.Selector, object.Spec.Template, nil)
		case *appsv1.StatefulSet:
			c.pods(object.Name, object.Spec.Selector, object.Spec.Template, object.Spec.VolumeClaimTemplates)
			c.has("Service", object.Spec.ServiceName)
		case *batchv1.Job:
			c.pods(object.Name, nil, object.Spec.Template, nil)
		case *batchv1.CronJob:
			c.pods(object.Name, nil, object.Spec.JobTemplate.Spec.Template, nil)
			assert.LessOrEqual(t, len(object.Name), 52)
		case *corev1.Service:
			assert.True(t, len(object.Spec.Ports) > 0 || object.Spec.ClusterIP == corev1.ClusterIPNone, object.Name)
			for _, port := range object.Spec.Ports {
				assert.Empty(t, validation.IsValidPortName(port.Name))
			}
		case *corev1.ConfigMap:
			size := 0
			for key, value := range object.Data {
				assert.Empty(t, validation.IsConfigMapKey(key))
				size += len(value)
			}
			for key, value := range object.BinaryData {
				assert.Empty(t, validation.IsConfigMapKey(key))
				assert.NotContains(t, object.Data, key)
				size += len(value)
			}
			assert.Less(t, size, 1<<20, object.Name)
		case *networkingv1.Ingress:
			for _, rule := range object.Spec.Rules {
				for _, path := range rule.HTTP.Paths {
					service, ok := c.has("Service", path.Backend.Service.Name).(*corev1.Service)
					require.True(t, ok)
					port := path.Backend.Service.Port.Number
					assert.Contains(t, fmt.Sprint(service.Spec.Ports), fmt.Sprint(port))
				}
			}
		}
	}
}

type checker struct {
	t     *testing.T
	notes string
	there map[string]runtime.Object
}

func (c *checker) has(kind, name string) runtime.Object {
	c.t.Helper()
	assert.Contains(c.t, c.there, kind+" "+name)
	return c.there[kind+" "+name]
}

// secret is one that the notes say to create, with this key.
func (c *checker) secret(name, key string) {
	c.t.Helper()
	assert.Contains(c.t, c.notes, fmt.Sprintf("| `%s` | `%s` |", name, key))
}

func (c *checker) pods(name string, selector *metav1.LabelSelector, template corev1.PodTemplateSpec, claims []corev1.PersistentVolumeClaim) {
	t := c.t
	t.Helper()
	if selector != nil {
		assert.Equal(t, selector.MatchLabels, template.Labels, name)
	}
	volumes := map[string]bool{}
	for _, claim := range claims {
		assert.False(t, volumes[claim.Name], claim.Name)
		volumes[claim.Name] = true
	}
	for _, volume := range template.Spec.Volumes {
		assert.False(t, volumes[volume.Name], "%s: %s", name, volume.Name)
		assert.Empty(t, validation.IsDNS1123Label(volume.Name))
		volumes[volume.Name] = true
		switch {
		case volume.ConfigMap != nil:
			made, ok := c.has("ConfigMap", volume.ConfigMap.Name).(*corev1.ConfigMap)
			require.True(t, ok)
			for _, item := range volume.ConfigMap.Items {
				_, text := made.Data[item.Key]
				_, binary := made.BinaryData[item.Key]
				assert.True(t, text || binary, item.Key)
			}
		case volume.PersistentVolumeClaim != nil:
			c.has("PersistentVolumeClaim", volume.PersistentVolumeClaim.ClaimName)
		case volume.Secret != nil:
			c.secret(volume.Secret.SecretName, "file")
		}
	}
	for _, container := range append(template.Spec.InitContainers, template.Spec.Containers...) {
		assert.NotEmpty(t, container.Image, name)
		assert.Empty(t, validation.IsDNS1123Label(container.Name))
		c.environment(container)
		targets := map[string]bool{}
		for _, mount := range container.VolumeMounts {
			assert.True(t, volumes[mount.Name], "%s: %s", name, mount.Name)
			assert.False(t, targets[mount.MountPath], "%s: %s twice", name, mount.MountPath)
			targets[mount.MountPath] = true
		}
		for _, probe := range []*corev1.Probe{container.ReadinessProbe, container.StartupProbe} {
			if probe != nil {
				assert.Positive(t, probe.PeriodSeconds)
				assert.Positive(t, probe.TimeoutSeconds)
				assert.Positive(t, probe.FailureThreshold)
			}
		}
	}
}

// environment: each variable is there once, and what a value is filled in from comes before it.
func (c *checker) environment(container corev1.Container) {
	c.t.Helper()
	before := map[string]bool{}
	for _, variable := range container.Env {
		assert.False(c.t, before[variable.Name], variable.Name)
		if variable.ValueFrom != nil {
			c.secret(variable.ValueFrom.SecretKeyRef.Name, variable.ValueFrom.SecretKeyRef.Key)
		}
		for _, part := range strings.Split(strings.ReplaceAll(variable.Value, "$$", ""), "$(")[1:] {
			name, _, _ := strings.Cut(part, ")")
			assert.True(c.t, before[name], "%s takes %s, which comes later", variable.Name, name)
		}
		before[variable.Name] = true
	}
	for _, word := range append(container.Command, container.Args...) {
		for _, part := range strings.Split(strings.ReplaceAll(word, "$$", ""), "$(BERTH_SECRET_")[1:] {
			name, _, _ := strings.Cut(part, ")")
			assert.True(c.t, before["BERTH_SECRET_"+name], name)
		}
	}
	for _, from := range container.EnvFrom {
		c.has("ConfigMap", from.ConfigMapRef.Name)
	}
}
