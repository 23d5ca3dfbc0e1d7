package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"berth/internal/config"
)

// zone is a hosted zone of the account.
type zone struct {
	id string
	// servers are its name servers, in lower case and without the final dot.
	servers []string
	// others is how many more public zones there are of the name.
	others int
	// own says that this stack made it.
	own bool
}

// findZone looks for the stack's zone in the account, once; it is nil where there is none.
func (d *doctor) findZone(ctx context.Context) (*zone, error) {
	return d.named.of(ctx, remote, func(ctx context.Context) (*zone, error) {
		cfg, read, who, skipped := d.inAccount(ctx, "domain", "zone")
		if skipped != nil {
			return nil, errors.New(skipped.Reason)
		}
		client := route53.NewFromConfig(who.settings)
		var ids []string
		pages := route53.NewListHostedZonesPaginator(client, &route53.ListHostedZonesInput{})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, one := range page.HostedZones {
				if bare(aws.ToString(one.Name)) == cfg.Zone && (one.Config == nil || !one.Config.PrivateZone) {
					ids = append(ids, strings.TrimPrefix(aws.ToString(one.Id), "/hostedzone/"))
				}
			}
		}
		if len(ids) == 0 {
			return nil, nil
		}
		found, err := client.GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: aws.String(ids[0])})
		if err != nil {
			return nil, err
		}
		known := &zone{id: ids[0], others: len(ids) - 1}
		if found.DelegationSet != nil {
			known.servers = sorted(found.DelegationSet.NameServers)
		}
		if cfg.CreateZone {
			tags, err := client.ListTagsForResource(ctx, &route53.ListTagsForResourceInput{ResourceId: aws.String(known.id), ResourceType: types.TagResourceTypeHostedzone})
			if err != nil {
				return nil, err
			}
			known.own = tags.ResourceTagSet != nil && ownedZone(read, tags.ResourceTagSet.Tags)
		}
		return known, nil
	})
}

func ownedZone(read *stack, tags []types.Tag) bool {
	found := map[string]string{}
	for _, tag := range tags {
		found[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return found["ManagedBy"] == "berth" && found["Project"] == read.project && found["Stack"] == read.name
}

func bare(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func sorted(names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, bare(name))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// zone checks that the account has the zone, and that it is delegated: what a public resolver says is what the
// certificate authority will see.
func (d *doctor) zone(ctx context.Context) finding {
	cfg, _, _, skipped := d.inAccount(ctx, "domain", "aliases", "zone", "createZone")
	if skipped != nil {
		return *skipped
	}
	known, err := d.findZone(ctx)
	switch {
	case err != nil:
		return unknown("whether the account has the zone "+cfg.Zone, "route53:ListHostedZones", err)
	case known == nil && cfg.CreateZone:
		return warn("zone-not-delegated-yet", "after pulumi up: pulumi stack output nameServers, and enter them at your registrar", "pulumi up makes the zone %s; until it is delegated, the site is not reachable by its name and has a self-signed certificate", cfg.Zone)
	case known == nil:
		return fail("hosted-zone-missing", "pulumi config set berth:createZone true", "the account has no public hosted zone %s", cfg.Zone)
	case cfg.CreateZone && !known.own:
		return fail("hosted-zone-exists", "pulumi config set berth:createZone false", "the account has a zone %s already, %s, and berth:createZone would make another of the same name", cfg.Zone, known.id)
	case known.others > 0:
		return fail("hosted-zone-ambiguous", "aws route53 list-hosted-zones, and delete those that nothing needs", "the account has %d public hosted zones %s, and Berth cannot know which one is meant", known.others+1, cfg.Zone)
	}
	return d.delegated(ctx, cfg, known)
}

// delegated compares the name servers that the world knows with the zone's own.
func (d *doctor) delegated(ctx context.Context, cfg *config.Config, known *zone) finding {
	enter := fmt.Sprintf("enter %s at your registrar", strings.Join(known.servers, ", "))
	if cfg.CreateZone {
		enter = "pulumi stack output nameServers, and enter them at your registrar"
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, d.resolver)
	}}
	answer, err := resolver.LookupNS(ctx, cfg.Zone+".")
	var unresolved *net.DNSError
	switch {
	case errors.As(err, &unresolved) && unresolved.IsNotFound:
		return fail("zone-not-delegated", enter, "the zone %s is in the account, but the world does not know it: %s has no name servers for it", cfg.Zone, d.resolver)
	case err != nil:
		return warn("delegation-not-known", "", "whether the zone %s is delegated is unknown, as the name server %s does not answer: %s", cfg.Zone, d.resolver, err)
	}
	var names []string
	for _, one := range answer {
		names = append(names, one.Host)
	}
	seen := sorted(names)
	right := slices.DeleteFunc(slices.Clone(seen), func(name string) bool { return !slices.Contains(known.servers, name) })
	switch {
	case len(right) == 0:
		return fail("zone-delegated-elsewhere", enter, "the zone %s is delegated elsewhere, to %s, and not to the account's zone %s", cfg.Zone, strings.Join(seen, ", "), known.id)
	case !slices.Equal(seen, known.servers):
		return warn("zone-name-servers-differ", enter, "the zone %s is delegated to %s, and the account's zone %s has %s", cfg.Zone, strings.Join(seen, ", "), known.id, strings.Join(known.servers, ", "))
	}
	return fine("%s is %s, and %s knows its %d name servers", cfg.Zone, known.id, d.resolver, len(seen))
}
