package aws

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Types of EC2 Auto Scaling, which rehearsal/scaling acts on.
const (
	LaunchTemplateType = "aws:ec2/launchTemplate:LaunchTemplate"
	GroupType          = "aws:autoscaling/group:Group"
	ScalingPolicyType  = "aws:autoscaling/policy:Policy"

	// GroupTag is what Auto Scaling puts on each instance of a group.
	GroupTag = "aws:autoscaling:groupName"
	// launching is the transition of a lifecycle hook that holds a new instance.
	launching = "autoscaling:EC2_INSTANCE_LAUNCHING"
	// rootDevice is what Debian's images call their root volume. With another name, a volume is one more.
	rootDevice = "/dev/xvda"
	// hookLimit is the number of lifecycle hooks of a group. Source: EC2 Auto Scaling User Guide, "Quotas".
	hookLimit = 50
)

// groupMetrics are those of a group's instances. Source: EC2 Auto Scaling API Reference, "EnableMetricsCollection".
var groupMetrics = []string{
	"GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity", "GroupInServiceInstances", "GroupPendingInstances", "GroupStandbyInstances",
	"GroupTerminatingInstances", "GroupTotalInstances",
}

func scalingKinds() map[string]*kind {
	return map[string]*kind{
		LaunchTemplateType: {operation: "CreateLaunchTemplate", invalid: "InvalidParameterValue", create: createTemplate, update: updateTemplate},
		GroupType:          {operation: "Auto Scaling:CreateAutoScalingGroup", invalid: "ValidationError", world: true, create: createScalingGroup, update: updateScalingGroup, remove: removeScalingGroup},
		ScalingPolicyType:  {operation: "Auto Scaling:PutScalingPolicy", invalid: "ValidationError", create: createScalingPolicy, update: checkScalingPolicy},
	}
}

// Instances lists the instances of a group in the order in which they were launched.
func (a *Account) Instances(group *Resource) []*Resource {
	return a.users(instanceType, "autoScalingGroup", group.ID)
}

// LaunchInstance makes an instance of a group's launch template in one of the group's subnets, as Auto Scaling does: a
// launching hook holds it in Pending:Wait.
func (a *Account) LaunchInstance(group *Resource, zoneSubnet string) (*Resource, error) {
	const operation = "Auto Scaling:LaunchInstances"
	subnet := a.get(subnetType, zoneSubnet)
	if subnet == nil || !slices.Contains(Texts(group.Outputs, "vpcZoneIdentifiers"), zoneSubnet) {
		return nil, apiError(operation, "ValidationError", "The subnet ID '%s' is not one of group %s", zoneSubnet, group.ID)
	}
	template, version, err := a.template(operation, Object(group.Outputs, "launchTemplate"))
	if err != nil {
		return nil, err
	}
	tags := map[string]any{}
	for _, specification := range Objects(template.Versions[version-1], "tagSpecifications") {
		if Text(specification, "resourceType") == "instance" {
			maps.Copy(tags, Object(specification, "tags"))
		}
	}
	for _, tag := range Objects(group.Outputs, "tags") {
		if Truth(tag, "propagateAtLaunch") {
			tags[Text(tag, "key")] = tag["value"]
		}
	}
	// Auto Scaling's own tags are not counted, and no one else may set them.
	maps.Copy(tags, map[string]any{GroupTag: group.ID, "aws:ec2launchtemplate:id": template.ID, "aws:ec2launchtemplate:version": strconv.Itoa(version)})
	inputs := instanceOf(template.Versions[version-1], zoneSubnet)
	inputs["tags"] = tags
	c := &call{account: a, kind: kinds[instanceType], typ: instanceType, region: regionOf(subnet), inputs: inputs, outputs: maps.Clone(inputs)}
	if err := errors.Join(c.unacceptable(), createInstance(c)); err != nil {
		return nil, err
	}
	c.outputs["tagsAll"] = tags
	c.outputs["autoScalingGroup"], c.outputs["healthStatus"], c.outputs["lifecycleState"] = group.ID, "Healthy", "InService"
	c.outputs["launchTemplate"] = map[string]any{"id": template.ID, "version": strconv.Itoa(version)}
	if slices.ContainsFunc(Objects(group.Outputs, "initialLifecycleHooks"), func(hook map[string]any) bool {
		return Text(hook, "lifecycleTransition") == launching
	}) {
		c.outputs["lifecycleState"] = "Pending:Wait"
	}
	made := c.resource()
	a.put(made)
	return made, nil
}

// Terminate ends an instance, as Auto Scaling does.
func (a *Account) Terminate(instance *Resource) {
	a.untie(instance.ID)
	a.remove(instance)
}

// instanceOf is a launch template's version as the inputs of an instance.
func instanceOf(version map[string]any, subnet string) map[string]any {
	inputs := map[string]any{"ami": version["imageId"], "instanceType": version["instanceType"], "subnetId": subnet, "vpcSecurityGroupIds": version["vpcSecurityGroupIds"]}
	for _, name := range []string{"keyName", "metadataOptions", "creditSpecification"} {
		if value, ok := version[name]; ok {
			inputs[name] = value
		}
	}
	if decoded, err := base64.StdEncoding.DecodeString(Text(version, "userData")); err == nil && len(decoded) > 0 {
		inputs["userData"] = string(decoded)
	}
	if profile := Object(version, "iamInstanceProfile"); profile != nil {
		_, named, _ := strings.Cut(Text(profile, "arn"), ":instance-profile/")
		inputs["iamInstanceProfile"] = cmp.Or(Text(profile, "name"), named)
	}
	for _, network := range Objects(version, "networkInterfaces") {
		inputs["vpcSecurityGroupIds"] = network["securityGroups"]
		if public := Text(network, "associatePublicIpAddress"); public != "" {
			inputs["associatePublicIpAddress"] = public == "true"
		}
		if count, ok := network["ipv6AddressCount"]; ok {
			inputs["ipv6AddressCount"] = count
		}
	}
	for _, mapping := range Objects(version, "blockDeviceMappings") {
		if Text(mapping, "deviceName") != rootDevice {
			continue
		}
		root := map[string]any{}
		for _, name := range []string{"volumeSize", "volumeType", "iops", "throughput"} {
			if value, ok := Object(mapping, "ebs")[name]; ok {
				root[name] = value
			}
		}
		// The launch template has texts here, which the instance has as booleans.
		for _, name := range []string{"encrypted", "deleteOnTermination"} {
			if value := Text(Object(mapping, "ebs"), name); value != "" {
				root[name] = value == "true"
			}
		}
		inputs["rootBlockDevice"] = root
	}
	return inputs
}

// template is the launch template that a group names, and the number of the version.
func (a *Account) template(operation string, wanted map[string]any) (*Resource, int, error) {
	var found *Resource
	for _, template := range a.OfType(LaunchTemplateType) {
		if template.ID == Text(wanted, "id") || Text(wanted, "id") == "" && Text(template.Outputs, "name") == Text(wanted, "name") {
			found = template
		}
	}
	if found == nil {
		return nil, 0, apiError(operation, "ValidationError", "You must use a valid fully-formed launch template. The specified launch template, with template ID %s, does not exist.", cmp.Or(Text(wanted, "id"), Text(wanted, "name")))
	}
	var version int
	switch asked := Text(wanted, "version"); asked {
	case "$Latest":
		version = len(found.Versions)
	case "", "$Default":
		version = Number(found.Outputs, "defaultVersion")
	default:
		version, _ = strconv.Atoi(asked)
	}
	if version < 1 || version > len(found.Versions) {
		return nil, 0, apiError(operation, "ValidationError", "You must use a valid fully-formed launch template. Could not find launch template version %s", Text(wanted, "version"))
	}
	return found, version, nil
}

func createTemplate(c *call) error {
	for _, other := range c.account.users(LaunchTemplateType, "name", Text(c.inputs, "name")) {
		return apiError("CreateLaunchTemplate", "InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use: %s.", Text(other.Outputs, "name"))
	}
	if err := c.checkTemplate("CreateLaunchTemplate"); err != nil {
		return err
	}
	c.id = newID("lt")
	c.outputs["arn"] = c.arn("ec2", c.region, "launch-template/"+c.id)
	c.versions = []map[string]any{maps.Clone(c.inputs)}
	c.outputs["latestVersion"], c.outputs["defaultVersion"] = 1.0, 1.0
	return nil
}

// updateTemplate makes a new version of what changed, but for tags.
func updateTemplate(c *call) error {
	if err := c.checkTemplate("CreateLaunchTemplateVersion"); err != nil {
		return err
	}
	c.versions = slices.Clone(c.old.Versions)
	if c.changesTemplate() {
		c.versions = append(c.versions, maps.Clone(c.inputs))
	}
	latest := float64(len(c.versions))
	c.outputs["latestVersion"] = latest
	switch wanted := c.inputs["defaultVersion"].(type) {
	case float64:
		if wanted < 1 || wanted > latest {
			return apiError("ModifyLaunchTemplate", "InvalidLaunchTemplateId.VersionNotFound", "Could not find launch template version %v", wanted)
		}
		c.outputs["defaultVersion"] = wanted
	default:
		c.outputs["defaultVersion"] = c.old.Outputs["defaultVersion"]
		if Truth(c.inputs, "updateDefaultVersion") {
			c.outputs["defaultVersion"] = latest
		}
	}
	return nil
}

// templateItself are the inputs of a launch template that are not part of a version.
var templateItself = []string{"name", "tags", "tagsAll", "defaultVersion", "updateDefaultVersion"}

// changesTemplate says whether a change makes a new version.
func (c *call) changesTemplate() bool {
	inside := func(inputs map[string]any) string {
		part := maps.Clone(inputs)
		maps.DeleteFunc(part, func(name string, _ any) bool { return slices.Contains(templateItself, name) })
		return inJSON(part)
	}
	return inside(c.old.Inputs) != inside(c.inputs)
}

// checkTemplate keeps the rules that hold when a version is made. Most of what it names is looked up when an instance is launched.
func (c *call) checkTemplate(operation string) error {
	data := Text(c.inputs, "userData")
	decoded, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return apiError(operation, "InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.")
	}
	if len(decoded) > userDataLimit {
		return apiError(operation, "InvalidParameterValue", "User data is limited to %d bytes", userDataLimit)
	}
	networks := Objects(c.inputs, "networkInterfaces")
	if len(networks) > 0 && len(Texts(c.inputs, "vpcSecurityGroupIds")) > 0 {
		return apiError(operation, "InvalidParameterCombination", "Network interfaces and an instance-level security groups may not be specified on the same request")
	}
	if len(networks) > 1 && slices.ContainsFunc(networks, func(network map[string]any) bool { return Text(network, "associatePublicIpAddress") == "true" }) {
		return apiError(operation, "InvalidParameterCombination", "The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces.")
	}
	for _, specification := range Objects(c.inputs, "tagSpecifications") {
		if err := checkTags(c, Object(specification, "tags")); err != nil {
			return err
		}
	}
	return nil
}

func createScalingGroup(c *call) error {
	c.id = Text(c.inputs, "name")
	if c.account.get(GroupType, c.id) != nil {
		return c.fails("AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name %s already exists", c.id)
	}
	c.outputs["arn"] = c.arn("autoscaling", c.region, "autoScalingGroup:"+newUUID()+":autoScalingGroupName/"+c.id)
	defaulted(c.outputs, "desiredCapacity", c.inputs["minSize"])
	defaulted(c.outputs, "healthCheckType", "EC2")
	defaulted(c.outputs, "defaultCooldown", 300.0)
	if err := c.checkHooks(); err != nil {
		return err
	}
	return c.checkScalingGroup()
}

// updateScalingGroup keeps what is desired, as far as the new limits have room for it.
func updateScalingGroup(c *call) error {
	if _, said := c.inputs["desiredCapacity"]; !said {
		desired := max(Number(c.inputs, "minSize"), min(Number(c.inputs, "maxSize"), Number(c.old.Outputs, "desiredCapacity")))
		c.outputs["desiredCapacity"] = float64(desired)
	}
	c.outputs["initialLifecycleHooks"] = c.old.Outputs["initialLifecycleHooks"]
	return c.checkScalingGroup()
}

// checkHooks gives lifecycle hooks what AWS chooses where they leave it out. Source: EC2 Auto Scaling API Reference,
// "PutLifecycleHook".
func (c *call) checkHooks() error {
	hooks, named := []any{}, map[string]bool{}
	for _, hook := range Objects(c.inputs, "initialLifecycleHooks") {
		if name := Text(hook, "name"); named[name] {
			return c.fails("AlreadyExists", "The lifecycle hook %s already exists", name)
		}
		named[Text(hook, "name")] = true
		hook = maps.Clone(hook)
		defaulted(hook, "defaultResult", "ABANDON")
		defaulted(hook, "heartbeatTimeout", 3600.0)
		hooks = append(hooks, hook)
	}
	if len(hooks) > hookLimit {
		return c.fails("LimitExceeded", "You have exceeded your limit of %d lifecycle hooks", hookLimit)
	}
	c.outputs["initialLifecycleHooks"] = hooks
	return nil
}

// checkScalingGroup keeps the rules that hold for a new and for a changed group.
func (c *call) checkScalingGroup() error {
	least, most, desired := Number(c.inputs, "minSize"), Number(c.inputs, "maxSize"), Number(c.outputs, "desiredCapacity")
	switch {
	case least < 0 || most < least:
		return c.fails("ValidationError", "Max bound, %d, must be greater than or equal to min bound, %d", most, least)
	case desired < least || desired > most:
		return c.fails("ValidationError", "Desired capacity:%d must be between the specified min size:%d and max size:%d", desired, least, most)
	case Number(c.outputs, "healthCheckGracePeriod") < 0:
		return c.fails("ValidationError", "The health check grace period must not be negative")
	}
	for _, metric := range Texts(c.inputs, "enabledMetrics") {
		if !slices.Contains(groupMetrics, metric) {
			return c.fails("ValidationError", "The metric '%s' is not one of a group's", metric)
		}
	}
	vpc, err := c.groupSubnets()
	if err != nil {
		return err
	}
	for _, id := range Texts(c.inputs, "targetGroupArns") {
		if group := c.account.get(TargetGroupType, id); group == nil || Text(group.Outputs, "vpcId") != vpc {
			return c.fails("ValidationError", "Provided Target Groups may not be valid. Please ensure they exist and try again.")
		}
	}
	if err := c.checkPropagated(); err != nil {
		return err
	}
	return c.checkLaunch(vpc)
}

// groupSubnets checks the subnets of a group and finds their VPC.
func (c *call) groupSubnets() (vpc string, err error) {
	var zones []string
	for _, id := range Texts(c.inputs, "vpcZoneIdentifiers") {
		subnet := c.account.get(subnetType, id)
		if subnet == nil {
			return "", c.fails("ValidationError", "The subnet ID '%s' does not exist", id)
		}
		if own := Text(subnet.Outputs, "vpcId"); vpc != "" && vpc != own {
			return "", c.fails("ValidationError", "The subnets of a group must belong to one VPC")
		}
		vpc, zones = Text(subnet.Outputs, "vpcId"), append(zones, Text(subnet.Outputs, "availabilityZone"))
	}
	if vpc == "" {
		return "", c.fails("ValidationError", "At least one Availability Zone or VPC Subnet is required.")
	}
	slices.Sort(zones)
	c.outputs["availabilityZones"] = anys(slices.Compact(zones)...)
	return vpc, nil
}

// checkPropagated keeps the rules for a group's tags, which are not a map.
func (c *call) checkPropagated() error {
	tags := groupTags(c.inputs)
	if len(tags) < len(Objects(c.inputs, "tags")) {
		return c.fails("ValidationError", "Duplicate tag keys found. Please note that Tag keys are case insensitive")
	}
	return checkTags(c, tags)
}

// checkLaunch tries the launch template, as AWS does with a group that names it.
func (c *call) checkLaunch(vpc string) error {
	template, version, err := c.account.template(c.kind.operation, Object(c.inputs, "launchTemplate"))
	if err != nil {
		return err
	}
	c.outputs["launchTemplate"] = map[string]any{"id": template.ID, "name": Text(template.Outputs, "name"), "version": cmp.Or(Text(Object(c.inputs, "launchTemplate"), "version"), "$Default")}
	invalid := func(format string, args ...any) error {
		return c.fails("ValidationError", "You must use a valid fully-formed launch template. "+format, args...)
	}
	launch := instanceOf(template.Versions[version-1], "")
	if ami := Text(launch, "ami"); ami != AMI && ami != OtherAMI {
		return invalid("The image id '[%s]' does not exist", ami)
	}
	if VCPUs(Text(launch, "instanceType")) == 0 {
		return invalid("Invalid value '%s' for InstanceType.", Text(launch, "instanceType"))
	}
	for _, id := range Texts(launch, "vpcSecurityGroupIds") {
		if group := c.account.get(securityGroupType, id); group == nil || Text(group.Outputs, "vpcId") != vpc {
			return invalid("The security group '%s' does not exist in VPC '%s'", id, vpc)
		}
	}
	if profile := Text(launch, "iamInstanceProfile"); profile != "" && c.account.get(profileType, profile) == nil {
		return invalid("Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", profile)
	}
	return nil
}

// empty has a group end its instances before it is deleted, as the provider does where it is not forced, and waits until Auto Scaling has.
// Without a world nobody would.
func (p *Provider) empty(ctx context.Context, typ, id string) error {
	if typ != GroupType || p.world == nil {
		return nil
	}
	forced := true
	p.lock.Lock()
	err := Change(p.dir, func(account *Account) error {
		group := account.get(typ, id)
		if group == nil || Truth(group.Outputs, "forceDelete") {
			return nil
		}
		forced = false
		for _, size := range []string{"minSize", "maxSize", "desiredCapacity"} {
			group.Outputs[size] = 0.0
		}
		return nil
	})
	p.lock.Unlock()
	if err != nil || forced {
		return err
	}
	// It is another process that ends them.
	for {
		account, err := Read(p.dir)
		if err != nil {
			return err
		}
		group := account.get(typ, id)
		if group == nil || len(account.Instances(group)) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("drain the instances of group %s: %w", id, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// removeScalingGroup takes the group's instances and policies with it, if it is forced to.
func removeScalingGroup(c *call) error {
	instances := c.account.Instances(c.old)
	if len(instances) > 0 && !Truth(c.old.Outputs, "forceDelete") {
		return apiError("Auto Scaling:DeleteAutoScalingGroup", "ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.")
	}
	for _, instance := range instances {
		c.account.Terminate(instance)
	}
	for _, policy := range c.account.users(ScalingPolicyType, "autoscalingGroupName", c.id) {
		c.account.remove(policy)
	}
	return nil
}

func createScalingPolicy(c *call) error {
	if err := checkScalingPolicy(c); err != nil {
		return err
	}
	c.id = Text(c.inputs, "name")
	c.outputs["arn"] = c.arn("autoscaling", c.region, "scalingPolicy:"+newUUID()+":autoScalingGroupName/"+Text(c.inputs, "autoscalingGroupName")+":policyName/"+c.id)
	return nil
}

func checkScalingPolicy(c *call) error {
	if group := Text(c.inputs, "autoscalingGroupName"); c.account.get(GroupType, group) == nil {
		return c.fails("ValidationError", "Group %s not found", group)
	}
	if typ := Text(c.inputs, "policyType"); typ != "TargetTrackingScaling" {
		return fmt.Errorf("scaling policy %s: the rehearsal knows TargetTrackingScaling, not %s", Text(c.inputs, "name"), typ)
	}
	tracking := Object(c.inputs, "targetTrackingConfiguration")
	if tracking == nil {
		return c.fails("ValidationError", "TargetTrackingConfiguration must be specified for TargetTrackingScaling policies")
	}
	if metric := Text(Object(tracking, "predefinedMetricSpecification"), "predefinedMetricType"); metric != "ASGAverageCPUUtilization" {
		return fmt.Errorf("scaling policy %s: the rehearsal knows ASGAverageCPUUtilization, not %s", Text(c.inputs, "name"), metric)
	}
	if target, _ := tracking["targetValue"].(float64); target <= 0 {
		return c.fails("ValidationError", "TargetValue must be greater than 0")
	}
	return nil
}
