package aws

import (
	"strings"
)

func monitoringRequests() map[string]requests {
	return map[string]requests{
		TopicType: {
			read: func(a *asking) { a.on(a.id, "sns:GetTopicAttributes", "sns:ListTagsForResource") },
			create: func(a *asking) {
				a.ask(a.id, tagged(Object(a.outputs, "tagsAll")), "sns:CreateTopic", "sns:TagResource")
				a.on(a.id, "sns:SetTopicAttributes")
			},
			update: func(a *asking) {
				if a.changed("displayName", "policy", "deliveryPolicy", "kmsMasterKeyId") {
					a.on(a.id, "sns:SetTopicAttributes")
				}
				a.retagsItself(a.id, "sns:TagResource", "sns:UntagResource")
			},
			remove: func(a *asking) { a.on(a.id, "sns:DeleteTopic") },
		},
		// Of subscriptions, SNS checks the topic as they are made; everything later takes no resource.
		SubscriptionType: {
			read:   func(a *asking) { a.everywhere("sns:GetSubscriptionAttributes") },
			create: func(a *asking) { a.on(Text(a.inputs, "topic"), "sns:Subscribe") },
			// Whether a message is raw is no matter of mail.
			update: func(a *asking) {
				if a.changed("deliveryPolicy", "filterPolicy", "filterPolicyScope", "redrivePolicy", "subscriptionRoleArn") {
					a.everywhere("sns:SetSubscriptionAttributes")
				}
			},
			remove: func(a *asking) { a.everywhere("sns:Unsubscribe", "sns:GetSubscriptionAttributes") },
		},
		AlarmType: {
			read: func(a *asking) {
				a.on(a.alarm("*"), "cloudwatch:DescribeAlarms")
				a.on(a.alarm(a.id), "cloudwatch:ListTagsForResource")
			},
			create: func(a *asking) {
				a.putsAlarm()
				a.ask(a.alarm(a.id), tagged(Object(a.outputs, "tagsAll")), "cloudwatch:TagResource")
			},
			update: func(a *asking) {
				if a.changed(a.untagged()...) {
					a.putsAlarm()
				}
				a.retagsItself(a.alarm(a.id), "cloudwatch:TagResource", "cloudwatch:UntagResource")
			},
			remove: func(a *asking) { a.on(a.alarm(a.id), "cloudwatch:DeleteAlarms") },
		},
		DashboardType: {
			read:   func(a *asking) { a.on(a.board(), "cloudwatch:GetDashboard") },
			create: func(a *asking) { a.on(a.board(), "cloudwatch:PutDashboard") },
			update: func(a *asking) { a.on(a.board(), "cloudwatch:PutDashboard") },
			remove: func(a *asking) { a.on(a.board(), "cloudwatch:DeleteDashboards") },
		},
		healthCheckType: {
			read: func(a *asking) { a.on(a.check(), "route53:GetHealthCheck", "route53:ListTagsForResource") },
			create: func(a *asking) {
				a.everywhere("route53:CreateHealthCheck")
				a.on(a.check(), "route53:ChangeTagsForResource")
			},
			update: func(a *asking) {
				if a.changed(a.untagged()...) {
					a.on(a.check(), "route53:UpdateHealthCheck")
				}
				a.retagsItself(a.check(), "route53:ChangeTagsForResource", "route53:ChangeTagsForResource")
			},
			remove: func(a *asking) { a.on(a.check(), "route53:DeleteHealthCheck") },
		},
	}
}

func (a *asking) alarm(name string) string { return a.arn("cloudwatch", a.region, "alarm:"+name) }

func (a *asking) board() string { return a.arn("cloudwatch", "", "dashboard/"+a.id) }

func (a *asking) check() string { return "arn:aws:route53:::healthcheck/" + a.id }

// putsAlarm asks for an alarm. One with an action of EC2's makes CloudWatch check the instance as whoever puts it, and
// where it stops, terminates or reboots the instance, it takes a role of CloudWatch's own, which comes with an account's
// first such alarm. Source: CloudWatch User Guide, "Create alarms to stop, terminate, reboot, or recover an EC2 instance".
func (a *asking) putsAlarm() {
	a.ask(a.alarm(a.id), with(tagged(Object(a.outputs, "tagsAll")), prefixed("aws:ResourceTag/", a.tagsOn(a.alarm(a.id)))), "cloudwatch:PutMetricAlarm")
	for _, action := range Texts(a.inputs, "alarmActions") {
		_, does, found := strings.Cut(action, ":ec2:")
		if !found {
			continue
		}
		a.everywhere("ec2:DescribeInstanceStatus", "ec2:DescribeInstances")
		if does != "recover" {
			a.ask(a.role("aws-service-role/events.amazonaws.com/AWSServiceRoleForCloudWatchEvents"),
				map[string][]string{"iam:AWSServiceName": {"events.amazonaws.com"}}, "iam:CreateServiceLinkedRole")
		}
	}
}
