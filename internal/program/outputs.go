package program

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra"
	"berth/internal/config"
	"berth/internal/plain"
	"berth/internal/release"
	"berth/provision"
	"berth/provision/scripts"
)

// certificateLine is what ssl-manager.sh check says; the last one in a step's output is the latest.
var certificateLine = regexp.MustCompile(`certificate issued by "([^"]*)", valid until (\S+)`)

// export declares what `pulumi up` shows at its end, in the order of use.
func export(ctx *pulumi.Context, cfg *config.Config, environment *infra.Environment, host *provision.Host, variables map[string]string) error {
	address := environment.Address.PublicIP
	ctx.Export("berth", pulumi.String(scripts.Version()))
	ctx.Export("url", pulumi.String("https://"+cfg.Domain+"/"))
	ctx.Export("address", address)
	if environment.Servers != nil {
		// What the names point to. The address above is the first server's, for SSH.
		ctx.Export("servers", environment.Servers.BalancerName)
	}
	ctx.Export("commit", host.Commit)
	ctx.Export("certificate", certificate(host.CertificateOutput))
	// For the next preview, which sees no image.
	ctx.Export("imageVolumes", imageVolumes(host.ReleaseOutput))
	// For the next preview, which says which variables change.
	ctx.Export("variables", pulumi.ToSecret(pulumi.ToStringMap(release.Fingerprints(variables))))
	ctx.Export("ssh", pulumi.Sprintf("ssh -i key.pem %s@%s", infra.User, address))
	ctx.Export("sshHostKey", pulumi.Sprintf("%s %s", address, environment.Keys.HostPublic))
	ctx.Export("sshPrivateKey", environment.Keys.ClientPrivate)
	if len(cfg.ExternalHosts) > 0 {
		ctx.Export("records", records(cfg, environment))
	}
	if cfg.CreateZone {
		ctx.Export("nameServers", environment.DNS.NameServers)
	}
	if cfg.DumpBucket {
		ctx.Export("dumpBucket", environment.Backups.Bucket)
	}
	if environment.Database != nil {
		ctx.Export("rdsHost", environment.Database.Host)
		ctx.Export("rdsPort", environment.Database.Port)
	}
	if environment.Monitoring != nil {
		ctx.Export("dashboard", environment.Monitoring.Dashboard)
	}
	if !cfg.Protect {
		ctx.Export("staysAfterDestroy", pulumi.String(stays(cfg, ctx.Project(), ctx.Stack())))
	}
	ctx.Export("next", summarize(ctx, cfg, environment, host, next(cfg, host.CertificateOutput)))
	return nil
}

// records are those that somebody makes where the DNS of external hosts is.
func records(cfg *config.Config, environment *infra.Environment) pulumi.StringArray {
	var all pulumi.StringArray
	for _, host := range cfg.ExternalHosts {
		all = append(all, pulumi.Sprintf("%s. A %s", host, environment.Address.PublicIP))
		if environment.Server.DualStack {
			all = append(all, pulumi.Sprintf("%s. AAAA %s", host, environment.Server.IPv6))
		}
	}
	return all
}

// stays is what a destroy leaves, and Pulumi shows before it: an unprotected stack is about to go.
func stays(cfg *config.Config, project, stack string) string {
	text := "the final snapshot of the volume and its daily ones, which nothing removes any more and which are paid for"
	if cfg.CreateZone {
		text += fmt.Sprintf("; the registrar's entry of the name servers of %s, which points to no zone: remove it", cfg.Zone)
	}
	if cfg.DumpBucket {
		text += "; the bucket, as long as dumps are in it"
	}
	if cfg.RDS != nil {
		text += "; the final snapshot of the database in RDS (aws rds describe-db-snapshots --region " + cfg.Region + ")"
	}
	return fmt.Sprintf("%s (docs/costs.md lists all of it); see the snapshots with: aws ec2 describe-snapshots --region %s --owner-ids self --filters Name=tag:ManagedBy,Values=berth Name=tag:Project,Values=%s Name=tag:Stack,Values=%s", text, cfg.Region, project, stack)
}

// certificate takes issuer and expiry out of the last step's output. They are public, though the step's output
// counts as secret because its connection holds a key.
func certificate(output pulumi.StringOutput) pulumi.StringMapOutput {
	parsed := output.ApplyT(func(text string) map[string]string {
		issuer, expiry := parseCertificate(text)
		return map[string]string{"issuer": issuer, "validUntil": expiry}
	})
	return pulumi.Unsecret(parsed).(pulumi.StringMapOutput)
}

// volumeLine is what the release says of a service that is persistent for its image's own volume.
var volumeLine = regexp.MustCompile(`(\S+) is persistent, because its image declares the volume ([^\s;]+)`)

// imageVolumes takes the volumes that images declare out of the release step's output, by service.
func imageVolumes(output pulumi.StringOutput) pulumi.StringArrayMapOutput {
	return pulumi.Unsecret(output.ApplyT(parseVolumes)).(pulumi.StringArrayMapOutput)
}

func parseVolumes(output string) map[string][]string {
	volumes := map[string][]string{}
	for _, found := range volumeLine.FindAllStringSubmatch(plain.Text(output), -1) {
		if !slices.Contains(volumes[found[1]], found[2]) {
			volumes[found[1]] = append(volumes[found[1]], found[2])
		}
	}
	return volumes
}

func parseCertificate(output string) (issuer, expiry string) {
	all := certificateLine.FindAllStringSubmatch(output, -1)
	if len(all) == 0 {
		return "unknown", "unknown"
	}
	last := all[len(all)-1]
	return plain.Line(last[1]), plain.Line(last[2])
}

// placeholderIssuer is the common name of the self-signed certificate that a server starts with.
const placeholderIssuer = "placeholder"

// next is one sentence about what to do now.
func next(cfg *config.Config, output pulumi.StringOutput) pulumi.StringOutput {
	said := output.ApplyT(func(text string) string { return sentence(cfg, text) })
	return pulumi.Unsecret(said).(pulumi.StringOutput)
}

func sentence(cfg *config.Config, text string) string {
	issuer, _ := parseCertificate(text)
	if issuer != placeholderIssuer {
		return fmt.Sprintf("open https://%s/", cfg.Domain)
	}
	if cfg.Servers.Several() {
		return fmt.Sprintf("open https://%s/: visitors see the load balancer's certificate. That of the servers is self-signed still, which visitors see once there is one server again; the certificate step's lines say why. "+
			"The first server tries again twice a day, or at once: sudo /opt/berth/ssl-manager.sh generate", cfg.Domain)
	}
	advice := fmt.Sprintf("the site answers with a self-signed certificate; the certificate step's lines say why. Most often a name does not resolve to 'address' yet: %s", strings.Join(cfg.Names(), ", "))
	if cfg.CreateZone {
		advice = fmt.Sprintf("the site answers with a self-signed certificate until %s is delegated: enter 'nameServers' for it at your registrar", cfg.Zone)
	}
	return advice + "; the server tries again twice a day, or at once: sudo /opt/berth/ssl-manager.sh generate"
}
