package release

import "testing"

func TestWhatHasNoEffectIsSaid(t *testing.T) {
	check(t, map[string]app{
		"Swarm's": {
			compose: "services:\n  web:\n    image: \"w:1\"\n    deploy:\n      replicas: 1\n      update_config: {parallelism: 2, order: start-first}\n      placement: {constraints: [\"node.role == worker\"]}\n  worker:\n    image: \"w:1\"\n    deploy: {placement: {constraints: [\"node.role == worker\"]}}\n",
			advised: []string{"compose.yaml:6: deploy.update_config of web has no effect here", "compose.yaml:7: deploy.placement of web, worker has no effect here"},
			silent:  []string{"deploy.replicas of"},
		},
		"a developer's": {
			compose: "services:\n  web:\n    image: \"w:1\"\n    develop: {watch: [{action: sync, path: ./src, target: /src}]}\n",
			advised: []string{"compose.yaml:4: develop of web has no effect here"},
		},
		"nothing of it": {
			compose: "services:\n  web:\n    image: \"w:1\"\n    deploy: {resources: {limits: {memory: 100M}}, restart_policy: {condition: any}}\n",
			silent:  []string{"has no effect"},
		},
	})
}
