package cloudwatch

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"berth/rehearsal/aws"
)

// Notification is one message that SNS would have sent, or not: Undelivered says why.
type Notification struct {
	Time        time.Time `json:"time"`
	Topic       string    `json:"topic"`
	Protocol    string    `json:"protocol,omitempty"`
	Endpoint    string    `json:"endpoint,omitempty"`
	Subject     string    `json:"subject"`
	Message     message   `json:"message"`
	Undelivered string    `json:"undelivered,omitempty"`
}

// message is the body of an alarm's notification, in its own names.
type message struct {
	AlarmName        string
	AlarmDescription string
	AWSAccountID     string `json:"AWSAccountId"`
	NewStateValue    string
	NewStateReason   string
	StateChangeTime  time.Time
	Region           string
	AlarmArn         string
	OldStateValue    string
}

// notify writes down what an alarm's change sends. No one in a rehearsal confirms a subscription, so each counts as
// confirmed.
func (s *Service) notify(account *aws.Account, a alarm, old, changed State) error {
	for _, action := range changed.Actions {
		if !strings.HasPrefix(action, "arn:aws:sns:") {
			continue
		}
		sent := Notification{
			Time: changed.Since, Topic: action, Subject: fmt.Sprintf("%s: %q in %s", changed.State, a.name, a.region()),
			Message: message{
				AlarmName: a.name, AlarmDescription: a.description, AWSAccountID: account.Number, NewStateValue: changed.State,
				NewStateReason: changed.Reason, StateChangeTime: changed.Since, Region: a.region(), AlarmArn: a.arn, OldStateValue: old.State,
			},
		}
		for _, one := range deliveries(account, sent) {
			if err := add(filepath.Join(s.dir, notificationsFile), one); err != nil {
				return err
			}
		}
	}
	return nil
}

// deliveries are one notification for each subscription of its topic, or one that says why nothing was sent.
func deliveries(account *aws.Account, sent Notification) []Notification {
	topic := account.Resources[aws.TopicType+"::"+sent.Topic]
	if topic == nil {
		sent.Undelivered = "the topic does not exist"
		return []Notification{sent}
	}
	if key, _ := topic.Outputs["kmsMasterKeyId"].(string); key == "alias/aws/sns" {
		sent.Undelivered = "CloudWatch may not use the key alias/aws/sns"
		return []Notification{sent}
	}
	var all []Notification
	for _, subscription := range account.OfType(aws.SubscriptionType) {
		if subscription.Outputs["topic"] == sent.Topic {
			one := sent
			one.Protocol, one.Endpoint = fmt.Sprint(subscription.Outputs["protocol"]), fmt.Sprint(subscription.Outputs["endpoint"])
			all = append(all, one)
		}
	}
	if len(all) == 0 {
		sent.Undelivered = "the topic has no subscription"
		return []Notification{sent}
	}
	return all
}
