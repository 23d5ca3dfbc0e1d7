package imds

import (
	"crypto/rand"
	"sync"
	"time"
)

// credentialsLife is how long one set of a role's temporary credentials is served. Source: EC2 User Guide, "Retrieve
// security credentials from instance metadata" (they last about six hours).
const credentialsLife = 6 * time.Hour

// credentials are the temporary ones of the instance's role: the same until they expire or the role changes. They
// look like AWS's and open nothing.
type credentials struct {
	now func() time.Time

	lock           sync.Mutex
	role, document string
	made, end      time.Time
}

// of gives the role's credentials as the service writes them, and when they were made.
func (c *credentials) of(role string) (document string, made time.Time) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if now := c.now(); role != c.role || !now.Before(c.end) {
		c.role, c.made, c.end = role, now, now.Add(credentialsLife)
		c.document = indented(map[string]string{
			"Code": "Success", "Type": "AWS-HMAC",
			"LastUpdated": stamp(c.made), "Expiration": stamp(c.end),
			"AccessKeyId": "ASIA" + rand.Text()[:16], "SecretAccessKey": (rand.Text() + rand.Text())[:40],
			"Token": rand.Text() + rand.Text() + rand.Text() + rand.Text(),
		})
	}
	return c.document, c.made
}

// stamp is a time as the service writes it: UTC, to the second.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
