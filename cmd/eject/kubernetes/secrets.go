package kubernetes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"berth/internal/release/compose"
)

// stackSecrets is the Secret that has the stack's secret variables.
const stackSecrets = "app-secrets"

// placeholder begins and ends what stands in place of a secret's value from before the plan is made: no value can reach a file.
const placeholder = "berth0secret0"

var placed = regexp.MustCompile(placeholder + `([0-9a-f]+)z`)

// Placeholder replaces the value of a stack's secret. It means nothing to a shell, a URL or Compose.
func Placeholder(name string) string { return fmt.Sprintf("%s%xz", placeholder, name) }

// references are the names of the secrets that a text takes.
func references(value string) (all []string) {
	for _, found := range placed.FindAllStringSubmatch(value, -1) {
		var name []byte
		if _, err := fmt.Sscanf(found[1], "%x", &name); err == nil && !slices.Contains(all, string(name)) {
			all = append(all, string(name))
		}
	}
	return all
}

// helper is the variable of a container that holds a secret which a text takes a part of.
func helper(name string) string { return "BERTH_SECRET_" + name }

// expanded is a text as Kubernetes fills it in: $(NAME) for a secret, and $$ for each $ of the app's. Source: Kubernetes,
// third_party/forked/golang/expansion.
func expanded(value string) string {
	value = strings.ReplaceAll(value, "$", "$$")
	for _, name := range references(value) {
		value = strings.ReplaceAll(value, Placeholder(name), "$("+helper(name)+")")
	}
	return value
}

// inShell is a command for a shell, with secrets from the container's variables.
func inShell(command string) string {
	for _, name := range references(command) {
		command = strings.ReplaceAll(command, Placeholder(name), "${"+helper(name)+"}")
	}
	return command
}

func fromSecret(variable, secret, key string) corev1.EnvVar {
	return corev1.EnvVar{Name: variable, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key,
	}}}
}

// literal says whether a variable that the repository sets holds a secret.
func literal(variable, value string) bool {
	return len(references(value)) == 0 && compose.Exposes(variable, value)
}
