package kubernetes

import (
	"fmt"
	"regexp"
	"strings"
)

// maxName leaves room in a DNS label, which has 63 characters, for what is put around it: "berth-restore-", a pod's hash.
const maxName = 45

var (
	notInName = regexp.MustCompile(`[^a-z0-9-]+`)
	dashes    = regexp.MustCompile(`-{2,}`)
)

// names gives what the app has the names of Kubernetes' objects, one kind of thing after the other: no two have the same.
type names struct{ taken map[string]string }

// named makes a DNS label (RFC 1123, and for a Service 1035: it begins with a letter) of a name.
func (n *names) named(kind, name string) (string, error) {
	label := strings.Trim(dashes.ReplaceAllString(notInName.ReplaceAllString(strings.ToLower(name), "-"), "-"), "-")
	if label == "" || label[0] < 'a' || label[0] > 'z' {
		label = strings.TrimRight("x-"+label, "-")
	}
	if len(label) > maxName {
		return "", fmt.Errorf("%s %s would be called %s, which has %d characters, and with what Kubernetes puts after it %d are possible; give it a shorter name in the compose file, so nothing was written", kind, name, label, len(label), maxName)
	}
	if before, ok := n.taken[kind+" "+label]; ok && before != name {
		return "", fmt.Errorf("%s %s and %s would both be called %s; rename one of them in the compose file, so nothing was written", kind, before, name, label)
	}
	n.taken[kind+" "+label] = name
	return label, nil
}
