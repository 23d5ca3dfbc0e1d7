package kubernetes

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"berth/internal/config"
)

// pod is what is known of the pods of a service while they are made.
type pod struct {
	name, label string
	definition  object
	spec        corev1.PodSpec
	container   corev1.Container
	// claims are the volumes that each pod of a StatefulSet has to itself.
	claims []corev1.PersistentVolumeClaim
	// beside are other objects that the pods need.
	beside []runtime.Object
}

// service makes the objects of one service.
func (m *maker) service(name string) error {
	p, err := m.pod(name)
	if err != nil {
		return err
	}
	m.add(p.label, p.beside...)
	if slices.Contains(m.Once, name) {
		m.byHand[p.label+".yaml"] = append(m.byHand[p.label+".yaml"], m.job(p.label, p.template(), nil))
		for _, claim := range p.claims {
			m.add(p.label, &claim)
		}
		m.note(name, "it runs once: create it when it is to run, and wait for it before what depends on it: kubectl create -f by-hand/%s.yaml; kubectl wait --for=condition=complete job/%s", p.label, p.label)
		return nil
	}
	m.add(p.label, m.workload(p), headless(p.label, p.label))
	m.restarts(p)
	return nil
}

// pod makes the pods of a service.
func (m *maker) pod(name string) (*pod, error) {
	p := &pod{name: name, label: m.called[name], definition: maps.Clone(m.file(name).Services[name])}
	p.container = corev1.Container{Name: p.label, Image: m.image(name, p.definition)}
	if p.container.Image == "" {
		return nil, fmt.Errorf("service %s has neither an image nor a build in the plan, so nothing was written", name)
	}
	if len(m.Config.Registries) > 0 {
		p.spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registries"}}
	}
	// An app sees no account of the cluster's, as on a server it sees none of AWS's; nor does each Service put variables into it.
	no := false
	p.spec.AutomountServiceAccountToken, p.spec.EnableServiceLinks = &no, &no
	for _, step := range []func(*pod) error{m.command, m.environment, m.volumes, m.secretsAndConfigs, m.resources, m.security, m.network, m.probes} {
		if err := step(p); err != nil {
			return nil, err
		}
	}
	m.leftOver(p)
	p.spec.Containers = []corev1.Container{p.container}
	return p, nil
}

// take is a key of the service, which is then dealt with.
func (p *pod) take(key string) any {
	value := p.definition[key]
	delete(p.definition, key)
	return value
}

// claimed says whether it mounts a claim.
func (p *pod) claimed() bool {
	return len(p.claims) > 0 || slices.ContainsFunc(p.spec.Volumes, func(volume corev1.Volume) bool { return volume.PersistentVolumeClaim != nil })
}

func (p *pod) template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels(p.label)}, Spec: p.spec}
}

// workload is a StatefulSet for what persists, and a Deployment for what each release replaces.
func (m *maker) workload(p *pod) runtime.Object {
	replicas := m.replicas(p)
	selector := &metav1.LabelSelector{MatchLabels: labels(p.label)}
	if slices.Contains(m.Stateful, p.name) {
		if replicas > 1 {
			m.note(p.name, "it ran %d times on one volume: as a StatefulSet each pod has a volume of its own, so it gets one replica", replicas)
			replicas = 1
		}
		return &appsv1.StatefulSet{
			TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"}, ObjectMeta: meta(p.label),
			Spec: appsv1.StatefulSetSpec{Replicas: &replicas, Selector: selector, ServiceName: p.label, Template: p.template(), VolumeClaimTemplates: p.claims},
		}
	}
	for _, claim := range p.claims {
		m.add(p.label, &claim)
	}
	strategy := appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	// A claim is one node's: the next pod may be on another and would wait for it for ever.
	if !slices.Contains(m.Alone, p.name) && m.Config.ReleaseStrategy != config.StopFirst && !p.claimed() {
		none, one := intstr.FromInt32(0), intstr.FromInt32(1)
		strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &one}}
		m.add(p.label, &policyv1.PodDisruptionBudget{
			TypeMeta: metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}, ObjectMeta: meta(p.label),
			Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &one, Selector: selector},
		})
	} else {
		m.note(p.name, "two never run at once (strategy Recreate), so each release interrupts it")
	}
	return &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: meta(p.label),
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector, Strategy: strategy, Template: p.template()},
	}
}

func (m *maker) replicas(p *pod) int32 {
	deploy, _ := m.file(p.name).Services[p.name]["deploy"].(object)
	for _, wanted := range []any{deploy["replicas"], m.file(p.name).Services[p.name]["scale"]} {
		if count, err := strconv.ParseInt(text(wanted), 10, 32); err == nil && count >= 0 {
			return int32(count)
		}
	}
	return 1
}

// job is a pod that runs until it is done.
func (m *maker) job(name string, template corev1.PodTemplateSpec, deadline *int64) *batchv1.Job {
	none := int32(0)
	template.Labels = labels(name)
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	for i := range template.Spec.Containers {
		one := &template.Spec.Containers[i]
		one.ReadinessProbe, one.StartupProbe, one.LivenessProbe = nil, nil, nil
	}
	return &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}, ObjectMeta: meta(name),
		Spec: batchv1.JobSpec{BackoffLimit: &none, ActiveDeadlineSeconds: deadline, Template: template},
	}
}

// headless gives the pods of a service a name. As on a network of Compose's, it has every port.
func headless(name, of string) *corev1.Service {
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: meta(name),
		Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Selector: labels(of)},
	}
}

// restarts notes where Kubernetes starts something again that Docker would not.
func (m *maker) restarts(p *pod) {
	policy := text(m.file(p.name).Services[p.name]["restart"])
	if policy == "no" || strings.HasPrefix(policy, "on-failure") {
		m.note(p.name, "its restart policy is %q; a Deployment or StatefulSet starts a container again whenever it ends, so make it a Job if it is meant to end", policy)
	}
}

func (m *maker) command(p *pod) error {
	for key, into := range map[string]*[]string{"entrypoint": &p.container.Command, "command": &p.container.Args} {
		words := texts(p.take(key))
		m.helpers(p, words)
		for _, word := range words {
			*into = append(*into, expanded(word))
		}
	}
	p.container.WorkingDir = text(p.take("working_dir"))
	p.container.Stdin, p.container.TTY = p.take("stdin_open") == true, p.take("tty") == true
	if period, ok := seconds(p.take("stop_grace_period")); ok {
		p.spec.TerminationGracePeriodSeconds = &period
	} else {
		// Docker's own; Kubernetes' is 30.
		ten := int64(10)
		p.spec.TerminationGracePeriodSeconds = &ten
	}
	if signal := text(p.take("stop_signal")); signal != "" {
		m.note(p.name, "stop_signal %s: Kubernetes sends the image's STOPSIGNAL; set it in the Dockerfile", signal)
	}
	slices.SortFunc(p.container.Env, func(a, b corev1.EnvVar) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// helpers gives the container the variables of the secrets that these words take.
func (m *maker) helpers(p *pod, words []string) {
	for _, name := range references(strings.Join(words, " ")) {
		m.helper(p, name)
	}
}

// helper is a variable of the container with a secret's value.
func (m *maker) helper(p *pod, name string) {
	one := fromSecret(helper(name), stackSecrets, name)
	if !slices.ContainsFunc(p.container.Env, func(there corev1.EnvVar) bool { return there.Name == one.Name }) {
		m.secret(stackSecrets, name, "berth:secrets."+name)
		p.container.Env = append(p.container.Env, one)
	}
}

// variable matches the names that a ConfigMap and every version of Kubernetes take.
var variable = regexp.MustCompile(`^[-._a-zA-Z][-._a-zA-Z0-9]*$`)

// environment: what anyone may read is in a ConfigMap, secrets are references.
func (m *maker) environment(p *pod) error {
	given, _ := p.take("environment").(object)
	plain := map[string]string{}
	var composed []corev1.EnvVar
	for _, name := range sorted(given) {
		if given[name] == nil {
			continue // Compose leaves out what is not set.
		}
		value := text(given[name])
		used := references(value)
		switch {
		case !variable.MatchString(name):
			m.note(p.name, "its variable %q: Kubernetes takes no such name", name)
		case len(used) == 1 && value == Placeholder(used[0]):
			m.secret(stackSecrets, used[0], "berth:secrets."+used[0])
			p.container.Env = append(p.container.Env, fromSecret(name, stackSecrets, used[0]))
		case len(used) > 0:
			for _, secret := range used {
				m.helper(p, secret)
			}
			composed = append(composed, corev1.EnvVar{Name: name, Value: expanded(value)})
		case literal(name, value):
			m.secret(p.label+"-secrets", name, "the compose file or an env file beside it (service "+p.name+", variable "+name+")")
			p.container.Env = append(p.container.Env, fromSecret(name, p.label+"-secrets", name))
		default:
			plain[name] = value
		}
	}
	// Kubernetes fills in $(NAME) from what comes before.
	p.container.Env = append(p.container.Env, composed...)
	if files := texts(p.take("env_file")); len(files) > 0 {
		m.note(p.name, "it reads env files of the server's own (%s): put what they hold into a ConfigMap or a Secret", strings.Join(files, ", "))
	}
	if len(plain) == 0 {
		return nil
	}
	name := p.label + "-environment"
	p.container.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}}
	p.beside = append(p.beside, configMap(name, plain))
	return nil
}

// leftOver notes every key that nothing dealt with.
func (m *maker) leftOver(p *pod) {
	for _, key := range []string{"labels", "annotations", "pull_policy", "cgroup_parent", "ports", "expose", "container_name", "restart", "image", "scale", "deploy", "attach", "depends_on", "links", "networks", "profiles", "platform", "runtime", "post_start", "pre_stop", "logging", "log_driver"} {
		value, has := p.definition[key]
		delete(p.definition, key)
		if !has {
			continue
		}
		switch key {
		case "depends_on":
			if on, ok := value.(object); ok && len(on) > 0 {
				m.note(p.name, "depends_on %s: Kubernetes starts everything at once; a container that ends because another is not there yet is started again, and only ready pods get requests", strings.Join(sorted(on), ", "))
			}
		case "logging":
			m.note(p.name, "logging: the nodes of the cluster keep what containers print, by their own settings")
		case "post_start", "pre_stop":
			m.note(p.name, "%s: write it as a lifecycle hook of the container", key)
		}
	}
	for _, key := range sorted(p.definition) {
		if value := p.definition[key]; value != nil && text(value) != "" && text(value) != "[]" && text(value) != "{}" && value != false {
			m.note(p.name, "%s: it is not carried over", key)
		}
	}
}
