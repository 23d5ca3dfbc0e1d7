package imds

import (
	"crypto/rand"
	"sync"
	"time"
)

// maxTokenSeconds is the longest life of a session token. Source: EC2 User Guide, "Use IMDSv2".
const maxTokenSeconds = 21600

// tokens are the session tokens given out and their ends.
type tokens struct {
	now func() time.Time

	lock sync.Mutex
	ends map[string]time.Time
}

// issue makes a token that is valid for the given seconds, and forgets those whose end has come.
func (t *tokens) issue(seconds int) string {
	t.lock.Lock()
	defer t.lock.Unlock()
	now := t.now()
	for token, end := range t.ends {
		if !now.Before(end) {
			delete(t.ends, token)
		}
	}
	token := rand.Text()
	t.ends[token] = now.Add(time.Duration(seconds) * time.Second)
	return token
}

func (t *tokens) valid(token string) bool {
	t.lock.Lock()
	defer t.lock.Unlock()
	end, ok := t.ends[token]
	return ok && t.now().Before(end)
}
