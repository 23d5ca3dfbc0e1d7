package aws

// lookedUp are the requests of a look-up, by its answer.
var lookedUp = map[string]func(a *asking, answer map[string]any){
	"aws:ssm/getParameter:getParameter": func(a *asking, answer map[string]any) {
		a.on("arn:aws:ssm:"+a.region+"::parameter"+Text(answer, "name"), "ssm:GetParameter")
	},
	"aws:route53/getZone:getZone": func(a *asking, answer map[string]any) {
		a.everywhere("route53:ListHostedZones")
		a.on(hostedZone(Text(answer, "zoneId")), "route53:GetHostedZone", "route53:ListTagsForResource")
	},
	// Whose credentials they are, everybody may ask.
	"aws:index/getCallerIdentity:getCallerIdentity": func(*asking, map[string]any) {},
	"aws:index/getAvailabilityZones:getAvailabilityZones": func(a *asking, _ map[string]any) {
		a.everywhere("ec2:DescribeAvailabilityZones")
	},
	"aws:iam/getPolicy:getPolicy": func(a *asking, answer map[string]any) {
		a.on(Text(answer, "arn"), "iam:GetPolicy", "iam:GetPolicyVersion")
	},
	"aws:vpc/getSecurityGroupRules:getSecurityGroupRules": func(a *asking, _ map[string]any) {
		a.everywhere("ec2:DescribeSecurityGroupRules")
	},
	"aws:vpc/getSecurityGroupRule:getSecurityGroupRule": func(a *asking, _ map[string]any) {
		a.everywhere("ec2:DescribeSecurityGroupRules")
	},
	"aws:ec2/getSubnet:getSubnet": func(a *asking, _ map[string]any) { a.everywhere("ec2:DescribeSubnets") },
}

// lookup decides on the requests of a look-up that has its answer.
func (p *Provider) lookup(account *Account, region, token string, answer map[string]any) error {
	a := &asking{call: &call{account: account, region: region}}
	lookedUp[token](a, answer)
	return p.decide(a.list)
}
