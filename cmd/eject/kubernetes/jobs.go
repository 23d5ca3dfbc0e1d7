package kubernetes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/robfig/cron/v3"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	scripts "berth/provision/scripts"
)

// in is a pod of a service that runs a command of its own, through the image's entrypoint, as `docker compose run` does.
func (m *maker) in(name, command string) (*pod, error) {
	if _, ok := m.called[name]; !ok {
		return nil, fmt.Errorf("service %s, in which a command is to run, is not in the plan, so nothing was written", name)
	}
	p, err := m.pod(name)
	if err != nil {
		return nil, err
	}
	one := &p.spec.Containers[0]
	one.Args, one.Ports = []string{"sh", "-c", expanded(command)}, nil
	// A pod beside the service's own gets its shared volumes alone.
	for _, claim := range p.claims {
		one.VolumeMounts = slices.DeleteFunc(one.VolumeMounts, func(mount corev1.VolumeMount) bool { return mount.Name == claim.Name })
		m.note(name, "what runs beside it (migration, jobs, a restore) does not see its volume %s, which is the pod's own", claim.Name)
	}
	return p, nil
}

// migration is what runs before a release takes over.
func (m *maker) migration() error {
	wanted := m.Config.Migration
	if wanted == nil {
		return nil
	}
	p, err := m.in(wanted.Service, wanted.Command)
	if err != nil {
		return err
	}
	m.byHand["migration.yaml"] = append(m.byHand["migration.yaml"], m.job("berth-migration", p.template(), nil))
	return nil
}

// longName matches the names of days and months that Kubernetes knows by their first three letters alone.
var longName = regexp.MustCompile(`(?i)\b(sun|mon|tue|wed|thu|fri|sat|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]+`)

// scheduled is a schedule as a CronJob takes it: names of three letters, and Sunday is 0. An error says what it does not take.
func scheduled(schedule string) (string, error) {
	fields := strings.Fields(longName.ReplaceAllString(schedule, "$1"))
	if len(fields) == 5 {
		days := strings.Split(fields[4], ",")
		for i, day := range days {
			if first, ok := strings.CutSuffix(day, "-7"); ok {
				day = first + "-6,0"
			}
			days[i] = day
			if day == "7" {
				days[i] = "0"
			}
		}
		fields[4] = strings.Join(days, ",")
	}
	schedule = strings.Join(fields, " ")
	// Kubernetes' own parser.
	if _, err := cron.ParseStandard(schedule); err != nil {
		return "", err
	}
	return schedule, nil
}

// eitherDay says whether a CronJob runs on each of two kinds of days where cron takes the days that are of both: the two fields are
// restricted, and one of them begins with *.
func eitherDay(schedule string) bool {
	fields := strings.Fields(schedule)
	return len(fields) == 5 && fields[2] != "*" && fields[4] != "*" && (strings.HasPrefix(fields[2], "*") || strings.HasPrefix(fields[4], "*"))
}

// cronJobs are commands at set times, in UTC as on the server, and never two of one at once.
func (m *maker) cronJobs() error {
	zone := "Etc/UTC"
	for _, wanted := range m.Jobs {
		p, err := m.in(wanted.Service, wanted.Command)
		if err != nil {
			return err
		}
		label, err := m.named("job", wanted.Name)
		if err != nil {
			return err
		}
		schedule, err := scheduled(wanted.Schedule)
		if err != nil {
			m.note(wanted.Service, "the job %s runs at %q, which no CronJob takes (%v), so it is not written", wanted.Name, wanted.Schedule, err)
			continue
		}
		if eitherDay(schedule) {
			m.note(wanted.Service, "the job %s runs at %q: a CronJob runs on the days of the month and on those of the week, not on the days that are both; have its command check the date", wanted.Name, wanted.Schedule)
		}
		var limit *int64
		if wanted.Timeout > 0 {
			seconds := int64(wanted.Timeout)
			limit = &seconds
		}
		name := "job-" + label
		m.add("jobs", &batchv1.CronJob{
			TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "CronJob"}, ObjectMeta: meta(name),
			Spec: batchv1.CronJobSpec{
				Schedule: schedule, TimeZone: &zone, ConcurrencyPolicy: batchv1.ForbidConcurrent,
				JobTemplate: batchv1.JobTemplateSpec{Spec: m.job(name, p.template(), limit).Spec},
			},
		})
	}
	return nil
}

// restorable are the kinds of databases whose dumps a Job restores over the network, with the script of Berth's own that does it on
// the server, and how its client is sent to another host.
var restorable = map[string]struct{ script, there string }{
	"postgres": {"release/postgres.sh", `export PGHOST="$SERVICE"`},
	"mysql":    {"release/mysql.sh", `export HOME=/tmp; printf '[client]\nhost=%s\nprotocol=tcp\n' "$SERVICE" >"$HOME/.my.cnf"`},
	"mongo":    {"release/mongo.sh", `mkdir -p /tmp/bin; printf '#!/bin/sh\nexec %s --host=%s "$@"\n' "$(command -v mongorestore)" "$SERVICE" >/tmp/bin/mongorestore; chmod 755 /tmp/bin/mongorestore; PATH=/tmp/bin:$PATH`},
}

// restoreNewest reads the newest dump of a service; the names of dumps begin with their time.
const restoreNewest = `set -eu
newest=""
for file in /dumps/*_"$DUMPED.$KIND"; do [ ! -e "$file" ] || newest=$file; done
[ -n "$newest" ] || { echo "/dumps holds no dump of $DUMPED (TIME_RELEASE_$DUMPED.$KIND); nothing was changed" >&2; exit 1; }
echo "restoring $newest"
%s
gzip -dc "$newest" | sh /scripts/restore.sh restore
`

// await ends once somebody says that the dump is there: a FIFO is read when it is written.
const await = `set -eu; [ -p /dumps/.ready ] || mkfifo /dumps/.ready; read -r line </dumps/.ready`

// restore are Jobs that restore the newest dump of each database.
func (m *maker) restore() error {
	for _, database := range m.Databases {
		how, ok := restorable[database.Kind]
		if !ok {
			m.note(database.Service, "its dumps (kind %s) are not restored by a Job: docs/kubernetes.md says how", database.Kind)
			continue
		}
		p, err := m.in(database.Service, "true")
		if err != nil {
			return err
		}
		script, err := scripts.Read(how.script)
		if err != nil {
			return fmt.Errorf("read Berth's own %s: %w", how.script, err)
		}
		name, file := "berth-restore-"+p.label, "restore-"+p.label+".yaml"
		m.byHand[file] = append(m.byHand[file], configMap(name, map[string]string{"restore.sh": script}))
		one := &p.spec.Containers[0]
		one.Command, one.Args = []string{"/bin/sh", "-c", expanded(fmt.Sprintf(restoreNewest, how.there))}, nil
		one.Env = append(one.Env, corev1.EnvVar{Name: "SERVICE", Value: p.label}, corev1.EnvVar{Name: "DUMPED", Value: database.Service}, corev1.EnvVar{Name: "KIND", Value: database.Kind})
		p.spec.Volumes = append(p.spec.Volumes,
			corev1.Volume{Name: "berth-dumps", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			corev1.Volume{Name: "berth-scripts", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}})
		one.VolumeMounts = append(one.VolumeMounts, corev1.VolumeMount{Name: "berth-dumps", MountPath: "/dumps"}, corev1.VolumeMount{Name: "berth-scripts", MountPath: "/scripts", ReadOnly: true})
		p.spec.InitContainers = []corev1.Container{{
			Name: "await-dump", Image: one.Image, Command: []string{"/bin/sh", "-c", expanded(await)}, SecurityContext: one.SecurityContext,
			VolumeMounts: []corev1.VolumeMount{{Name: "berth-dumps", MountPath: "/dumps"}},
		}}
		m.byHand[file] = append(m.byHand[file], m.job(name, p.template(), nil))
	}
	return nil
}
