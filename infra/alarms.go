package infra

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// alarm is what is wrong once a metric is beyond its threshold for so many periods in a row.
type alarm struct {
	name string
	// description is one sentence: what it means, and what to do.
	description       string
	namespace, metric string
	dimensions        pulumi.StringMap
	// statistic makes one value of a period's, comparison holds it against the threshold.
	statistic, comparison string
	threshold             float64
	// period in seconds, and how many of them.
	period, periods int
	// missing is what a period without data counts as.
	missing string
	// action is what AWS does beside sending mail, "" for nothing.
	action string
}

// AWS's names for comparisons and for what missing data counts as.
const (
	above, atLeast, below = "GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold"
	ok, wrong             = "notBreaching", "breaching"
)

// creditBalance is the metric of a burstable instance's CPU credits, which others do not have.
const creditBalance = "CPUCreditBalance"

// alarms are those of the stack's own region.
func alarms(region, domain string, instance pulumi.IDOutput, burstable bool) []alarm {
	all := append(instanceAlarms(region), serverAlarms()...)
	if !burstable {
		all = slices.DeleteFunc(all, func(a alarm) bool { return a.metric == creditBalance })
	}
	for i := range all {
		switch a := &all[i]; a.namespace {
		case MetricNamespace:
			a.dimensions = pulumi.StringMap{MetricDimension: pulumi.String(domain)}
		default:
			a.dimensions = pulumi.StringMap{"InstanceId": instance.ToStringOutput()}
		}
		if all[i].missing == "" {
			all[i].missing = ok
		}
	}
	return all
}

// instanceAlarms are on what EC2 sees of the instance. It counts processor time every five minutes, and checks whether
// the instance is sound every minute.
func instanceAlarms(region string) []alarm {
	const ec2 = "AWS/EC2"
	return []alarm{{
		name:        "processor",
		description: "The processor has been busy for a quarter of an hour: run top to find the cause, and set a larger berth:instanceType if it continues.",
		namespace:   ec2, metric: "CPUUtilization", statistic: "Average", comparison: above, threshold: 80, period: 300, periods: 3,
	}, {
		name:        "processor credits",
		description: "The processor's credits are nearly spent and more of its time will cost extra: set a larger berth:instanceType if it goes on, and ignore it in the first hours of a new server, which begins without credits.",
		namespace:   ec2, metric: creditBalance, statistic: "Average", comparison: below, threshold: 20, period: 300, periods: 2,
	}, {
		// Two minutes here and three below: AWS wants the two actions apart. Source: EC2 User Guide, "Create alarms that
		// stop, terminate, reboot, or recover an instance".
		name:        "machine",
		description: "The machine under the server has failed and AWS is moving the server to another: the site should be back in some minutes, otherwise run pulumi up.",
		namespace:   ec2, metric: "StatusCheckFailed_System", statistic: "Maximum", comparison: atLeast, threshold: 1, period: 60, periods: 2,
		action: "arn:aws:automate:" + region + ":ec2:recover",
	}, {
		name:        "system",
		description: "The server's operating system does not answer and AWS is rebooting it: afterwards, run journalctl --boot=-1 to find the cause.",
		namespace:   ec2, metric: "StatusCheckFailed_Instance", statistic: "Maximum", comparison: atLeast, threshold: 1, period: 60, periods: 3,
		action: "arn:aws:automate:" + region + ":ec2:reboot",
	}}
}

// serverAlarms are on what the server says of itself every minute.
func serverAlarms() []alarm {
	return []alarm{{
		name:        "memory",
		description: "Memory has been short for five minutes or the server has stopped reporting: log in and run free and docker stats, and if you cannot log in, reboot it in the console.",
		namespace:   MetricNamespace, metric: "MemoryUsed", statistic: "Average", comparison: above, threshold: 80, period: 60, periods: 5,
		// A server that has nothing to say is the one to worry about. One alarm says so, not seven.
		missing: wrong,
	}, {
		name:        "disk",
		description: "The data volume is nearly full and releases will soon be refused: run sudo /opt/berth/log-monitor.sh sizes, make room with sudo /opt/berth/log-monitor.sh clean, or grow it by berth:volumeSize and pulumi up.",
		namespace:   MetricNamespace, metric: "DiskUsed", statistic: "Maximum", comparison: above, threshold: 80, period: 60, periods: 1,
	}, {
		name:        "swap",
		description: "The server swaps and is slow: run docker stats to find what uses the memory, or set a larger berth:instanceType.",
		namespace:   MetricNamespace, metric: "SwapUsed", statistic: "Average", comparison: above, threshold: 50, period: 60, periods: 5,
	}, {
		name:        "containers",
		description: "A container has been unhealthy for three minutes: run docker ps and docker logs, or roll back with sudo /opt/berth/deploy.sh rollback.",
		namespace:   MetricNamespace, metric: "UnhealthyContainers", statistic: "Minimum", comparison: above, threshold: 0, period: 60, periods: 3,
	}, {
		name: "certificate",
		// By fraction of life, since a certificate lives for 6 days or for 90; it is renewed with a third left. One that no
		// authority signed counts as 0. The best of five minutes, so that a first 'pulumi up' sends no mail.
		description: "Less than a sixth of the certificate's life is left and it was not renewed, or the site has none but the placeholder: run sudo /opt/berth/ssl-manager.sh check, which says why and what to do.",
		namespace:   MetricNamespace, metric: "CertificateLife", statistic: "Maximum", comparison: below, threshold: 17, period: 300, periods: 1,
	}, {
		name:        "backup",
		description: "No database has been dumped for more than 26 hours: read /var/log/berth and check the space on /data.",
		namespace:   MetricNamespace, metric: "BackupAge", statistic: "Minimum", comparison: above, threshold: 26, period: 300, periods: 1,
	}, {
		name:        "health",
		description: "The server's own health check has found something critical for two minutes: run sudo /opt/berth/health-check.sh, which names it.",
		namespace:   MetricNamespace, metric: "HealthCheck", statistic: "Maximum", comparison: atLeast, threshold: 2, period: 60, periods: 2,
	}}
}

// The metrics of several servers. Source: Elastic Load Balancing User Guide for Application Load Balancers, "CloudWatch metrics",
// and EC2 Auto Scaling User Guide, "Amazon CloudWatch metrics for Amazon EC2 Auto Scaling".
const (
	elbNamespace, groupNamespace = "AWS/ApplicationELB", "AWS/AutoScaling"

	unhealthyHosts, healthyHosts = "UnHealthyHostCount", "HealthyHostCount"
	balancerErrors               = "HTTPCode_ELB_5XX_Count"
	serversInService             = "GroupInServiceInstances"
)

// The first server's own metrics of the web servers, which may write none: the highest figure of all of them.
const webMemory, webDisk, webSwap = "WebMemoryUsed", "WebDiskUsed", "WebSwapUsed"

// alarms are on what the load balancer, Auto Scaling and the first server see of the servers, every minute. A load balancer counts the
// servers in each availability zone, and the figures of a minute are those of all zones: the largest of them is what is wrong somewhere,
// or well somewhere.
func (s *Several) alarms(domain string) []alarm {
	own := pulumi.StringMap{MetricDimension: pulumi.String(domain)}
	balancer := pulumi.StringMap{"LoadBalancer": s.Balancer}
	targets := pulumi.StringMap{"LoadBalancer": s.Balancer, "TargetGroup": s.TargetGroup}
	all := []alarm{{
		// A web server that does not answer is replaced within minutes. What is left after ten is the first server, or what fails
		// again and again.
		name:        "unhealthy server",
		description: "A web server has not answered the load balancer for ten minutes: on the first server, run sudo /opt/berth/servers.sh status to find which one, and sudo /opt/berth/health-check.sh if it is the first server itself.",
		namespace:   elbNamespace, metric: unhealthyHosts, dimensions: targets, statistic: "Maximum", comparison: above, threshold: 0, period: 60, periods: 10, missing: ok,
	}, {
		name:        "no healthy server",
		description: "No server answers the load balancer and the site is down: on the first server, run sudo /opt/berth/health-check.sh, which names the cause, or roll back with sudo /opt/berth/deploy.sh rollback.",
		namespace:   elbNamespace, metric: healthyHosts, dimensions: targets, statistic: "Maximum", comparison: below, threshold: 1, period: 60, periods: 2, missing: ok,
	}, {
		// One server that goes away costs a request or two of a small site. It reports nothing where there was none.
		name:        "load balancer errors",
		description: "The load balancer has answered more than 20 requests with an error of its own in five minutes, since a server did not answer in time or closed the connection: on the first server, run sudo /opt/berth/servers.sh status and read /var/log/berth/servers.log.",
		namespace:   elbNamespace, metric: balancerErrors, dimensions: balancer, statistic: "Sum", comparison: above, threshold: 20, period: 300, periods: 1, missing: ok,
	}, {
		// The highest figure of all web servers. There is none while there is no web server.
		name:        "web server memory",
		description: "Memory has been short on a web server for five minutes: on the first server, run sudo /opt/berth/health-check.sh, which names the web server and the command that shows what uses it, or set a larger berth:instanceType if it continues.",
		namespace:   MetricNamespace, metric: webMemory, dimensions: own, statistic: "Average", comparison: above, threshold: 80, period: 60, periods: 5, missing: ok,
	}, {
		name:        "web server disk",
		description: "The disk of a web server is nearly full and releases will soon fail on it: on the first server, run sudo /opt/berth/health-check.sh, which names the web server and the commands that show what takes the space and make room.",
		namespace:   MetricNamespace, metric: webDisk, dimensions: own, statistic: "Maximum", comparison: above, threshold: 80, period: 60, periods: 1, missing: ok,
	}}
	if s.Web == 0 {
		return all
	}
	// One that does not join is ended after a quarter of an hour, and another one tries.
	return append(all, alarm{
		name:        "missing servers",
		description: "Fewer web servers than berth:servers wants have been in service for twenty minutes: on the first server, read /var/log/berth/servers.log, which says what keeps one from joining.",
		namespace:   groupNamespace, metric: serversInService, dimensions: pulumi.StringMap{"AutoScalingGroupName": s.GroupName},
		statistic: "Maximum", comparison: below, threshold: float64(s.Web), period: 300, periods: 4, missing: ok,
	})
}

// The metrics of a database in RDS. Source: RDS User Guide, "Amazon CloudWatch metrics for Amazon RDS".
const (
	databaseNamespace, databaseDimension = "AWS/RDS", "DBInstanceIdentifier"

	freeStorage = "FreeStorageSpace" // bytes
)

// alarm is on the storage that the database has left: without any, Postgres stops.
func (d *MonitoredDatabase) alarm() alarm {
	return alarm{
		name:        "database storage",
		description: "Less than a tenth of the storage of the database in RDS is free, and a full one stops: grow it by berth:rds.sizeGB and pulumi up.",
		namespace:   databaseNamespace, metric: freeStorage, dimensions: pulumi.StringMap{databaseDimension: d.Identifier},
		statistic: "Minimum", comparison: below, threshold: float64(d.SizeGB) * (1 << 30) / 10, period: 300, periods: 1, missing: ok,
	}
}

// siteAlarm is on what Route 53 sees of the site from outside. The health check itself waits for several failures, so
// the alarm does not wait again.
func siteAlarm(check pulumi.IDOutput) alarm {
	return alarm{
		name:        "site",
		description: "The site does not answer from outside: open it, then log in and run sudo /opt/berth/health-check.sh.",
		namespace:   "AWS/Route53", metric: "HealthCheckStatus",
		dimensions: pulumi.StringMap{"HealthCheckId": check.ToStringOutput()},
		statistic:  "Minimum", comparison: below, threshold: 1, period: 60, periods: 1, missing: ok,
	}
}
