package detect

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"berth/internal/release/compose"
)

// Secret marks where a generated value begins and ends. All passwords are one, since the app's and the database's own are often two
// variables; what is no password has a value of its own, of so many bytes in a notation that the app's framework asks for.
type Secret struct {
	Before, After string
	Password      bool
	Hex, Base64   int
}

// Value is the secret around what random gives: some bytes of it, or a text.
func (s Secret) Value(password, text string, random func(count int) []byte) string {
	switch {
	case s.Password:
		text = password
	case s.Hex > 0:
		text = hex.EncodeToString(random(s.Hex))
	case s.Base64 > 0:
		text = base64.StdEncoding.EncodeToString(random(s.Base64))
	}
	return s.Before + text + s.After
}

var (
	password = regexp.MustCompile(`(?i)(PASSWORD|PASSWD|PASS|_PWD|(^|_)PW)$`)
	// inURL matches a URL with a password, its groups are the text before it, the password, and the rest.
	inURL = regexp.MustCompile(`^(\w[\w+.-]*://[^/@:\s]*:)([^@/\s]+)(@.*)$`)
	// keyInURL is the same for a URL in which the user is the secret, as Sentry's are.
	keyInURL = regexp.MustCompile(`^(\w[\w+.-]*://)([^/@:\s]+)(@.*)$`)
	// ownHost matches what follows the password in a URL of a service of the app's own: a name without a domain.
	ownHost = regexp.MustCompile(`^@[^./:?]+([:/?]|$)`)
	// off matches values by which an example says that there is none.
	off = regexp.MustCompile(`(?i)^(null|nil|none|false|off|disabled?)$`)
	// count matches what ends as a secret's name and is a number.
	count = regexp.MustCompile(`^[0-9]{1,6}$`)
	// thirdParty matches names of what somebody else issues: a value of one's own is none, and empty means that it is not used.
	thirdParty = regexp.MustCompile(`(?i)(^|_)(STRIPE|SENDGRID|MAILGUN|MAILCHIMP|MAILJET|POSTMARK|RESEND|SPARKPOST|TWILIO|VONAGE|AWS|S3|SES|R2|B2|AZURE|GCP|GOOGLE|GITHUB|GITLAB|BITBUCKET|FACEBOOK|META|APPLE|TWITTER|LINKEDIN|MICROSOFT|` +
		`OPENAI|ANTHROPIC|MISTRAL|GEMINI|HUGGINGFACE|HF|COHERE|SLACK|DISCORD|TELEGRAM|MATRIX|SENTRY|POSTHOG|DATADOG|DD|NEWRELIC|RECAPTCHA|HCAPTCHA|TURNSTILE|CLOUDFLARE|PUSHER|ABLY|ALGOLIA|MAPBOX|PAYPAL|PADDLE|LEMONSQUEEZY|` +
		`SMTP|MAIL|MAILER|EMAIL|IMAP|LDAP|OAUTH2?|OIDC|SAML|SSO|CLIENT|SPOTIFY|DROPBOX|ZOOM|NOTION|UNSPLASH|TMDB|MAXMIND|GEOIP|LICENSE|DSN)(_|$)|\w_API_(KEY|TOKEN)$`)
	hexadecimal = regexp.MustCompile(`^([0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{48}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$`)
)

// variables guesses those that .env.example and the compose file name and that have no value, and returns all that are known.
func (s *Settings) variables(folder string, composeText []byte, source *compose.Source, given map[string]string) (known map[string]string, err error) {
	beside := path.Dir(s.ComposeFiles[0])
	committed, err := readIn(folder, path.Join(beside, ".env"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	defaults, err := compose.Defaults(committed, given)
	if err != nil {
		return nil, err
	}
	example, err := s.example(folder, beside)
	if err != nil {
		return nil, err
	}
	// An example is often half prose: where it is no env file, its names are known and its values are not.
	values, err := dotenv.UnmarshalBytesWithLookup(example, func(string) (string, bool) { return "", false })
	if err != nil {
		values = map[string]string{}
	}
	have := map[string]bool{}
	for name := range defaults {
		have[name] = true
	}
	if err := s.fromExample(compose.Missing(example, have), values, string(composeText)); err != nil {
		return nil, err
	}
	known = maps.Clone(s.Environment)
	for name := range s.Secrets {
		known[name] = "guessed"
	}
	maps.Copy(known, defaults)
	return known, s.fromGaps(source, known)
}

// example is the .env.example nearest to the compose file, empty for none.
func (s *Settings) example(folder, beside string) ([]byte, error) {
	for _, at := range []string{path.Join(beside, ".env.example"), ".env.example"} {
		text, err := readIn(folder, at)
		if !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
	}
	return nil, nil
}

// fromExample guesses variables that an example names, with these values there.
func (s *Settings) fromExample(names []string, values map[string]string, composeText string) error {
	examples := map[string]bool{}
	for _, name := range names {
		if made, ok := secret(name, values[name]); ok {
			s.Secrets[name] = made
			if made.Before == "" {
				examples[values[name]] = made.Password
			}
		}
	}
	for _, name := range names {
		if _, ok := s.Secrets[name]; ok {
			continue
		}
		value := values[name]
		// A URL with the example of a password has to change along with it; so has one of a service of the app's own, unless the
		// compose file has the same password.
		if found := inURL.FindStringSubmatch(value); found != nil && (examples[found[2]] || ownHost.MatchString(found[3]) && !strings.Contains(composeText, found[2])) {
			s.Secrets[name] = Secret{Before: found[1], After: found[3], Password: true}
			continue
		}
		if strings.ContainsAny(value, "\r\n") {
			return &Unguessed{
				Reason: fmt.Sprintf("the variable %s of .env.example has several lines, and a variable has one; have the app take it in base64", name),
				Say:    "environment." + name + "=VALUE",
			}
		}
		s.Environment[name] = value
	}
	return nil
}

// secret is what is to be made for a variable, going by its name and its example; it is not ok for what is no secret.
func secret(name, example string) (Secret, bool) {
	if !compose.IsSecret(name) || off.MatchString(example) || example == "" && thirdParty.MatchString(name) || count.MatchString(example) && !password.MatchString(name) {
		return Secret{}, false
	}
	if found := inURL.FindStringSubmatch(example); found != nil {
		return Secret{Before: found[1], After: found[3], Password: true}, true
	}
	if found := keyInURL.FindStringSubmatch(example); found != nil {
		return Secret{Before: found[1], After: found[3]}, true
	}
	switch {
	case password.MatchString(name):
		return Secret{Password: true}, true
	case strings.EqualFold(name, "APP_KEY"): // Laravel's.
		return Secret{Before: "base64:", Base64: 32}, true
	case strings.HasSuffix(strings.ToUpper(name), "SECRET_KEY_BASE"): // Rails', Phoenix'.
		return Secret{Hex: 64}, true
	case hexadecimal.MatchString(example):
		return Secret{Hex: len(example) / 2}, true
	}
	return Secret{}, true
}

// fromGaps guesses secrets that the compose file takes and no example names, and adds them to what is known. A required variable
// that is none cannot be guessed.
func (s *Settings) fromGaps(source *compose.Source, known map[string]string) error {
	var say []string
	gaps := source.Gaps(func(name string) bool { _, ok := known[name]; return ok }, strings.Split(known["COMPOSE_PROFILES"], ",")...)
	for _, gap := range gaps {
		if gap.Passed {
			continue
		}
		if made, ok := secret(gap.Name, ""); ok || gap.Required && compose.IsSecret(gap.Name) {
			s.Secrets[gap.Name], known[gap.Name] = made, "guessed"
		} else if gap.Required {
			say = append(say, "environment."+gap.Name+"=VALUE")
		}
	}
	if len(say) == 0 {
		return nil
	}
	names := strings.NewReplacer("environment.", "", "=VALUE", "").Replace(strings.Join(slices.Compact(say), ", "))
	return &Unguessed{Reason: fmt.Sprintf("%s requires the variables %s, which no .env.example has a value for", s.ComposeFiles[0], names), Say: strings.Join(say, " ")}
}
