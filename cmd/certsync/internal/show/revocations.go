package show

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/revocation"
)

// Revocations shows the revoked certificates that have not expired, and the tiers of revocation that are in force.
func Revocations(r revocation.Report, c terminal.Palette) []byte {
	var b bytes.Buffer
	title := "Revoked certificates of " + r.Owner + ":"
	count := "none still valid"
	if n := len(r.Certificates); n > 0 {
		count = terminal.Plural(n, "certificate") + " not expired yet"
	}
	b.WriteString(strings.Replace(terminal.Wrap("", title+" "+count), title, c.Bold(title), 1))
	for _, cert := range r.Certificates {
		writeRevokedCertificate(&b, cert, c)
	}
	fmt.Fprintf(&b, "\n%s\n", c.Bold("Tiers in force"))
	b.WriteString(terminal.Wrap("  ", "epoch: yes. certsync binds none of these names, so its bindings give them nothing."))
	b.WriteString(terminal.Wrap("  ", admissionText(r.Tiers)))
	b.WriteString(terminal.Wrap("  ", "authorization: unknown. Only the API server's own configuration shows whether it denies all requests of these certificates."))
	if r.Left > 0 {
		b.WriteString(terminal.Wrap("  ! ", fmt.Sprintf("%s not in the lists for the API server: a list holds at most %d.", terminal.Plural(r.Left, "certificate"), revocation.MaxEntries)))
	}
	return b.Bytes()
}

func admissionText(t revocation.Tiers) string {
	switch t.Admission {
	case revocation.InForce:
		return "admission: yes. The API server denies all writes of each certificate above that says so."
	case revocation.NotInForce:
		return "admission: no: " + terminal.Clean(t.AdmissionProblem) + ". Run certsync manifests --revocation again and apply its output."
	}
	return "admission: no. To deploy it, run certsync manifests --revocation and apply its output."
}

func writeRevokedCertificate(b *bytes.Buffer, cert revocation.Certificate, c terminal.Palette) {
	when := "from the next run on"
	if cert.Since != nil {
		when = "since " + reconcile.TimeText(*cert.Since)
	}
	fmt.Fprintf(b, "\n%s\n", c.Bold(terminal.TextName(cert.Username)))
	b.WriteString(terminal.Wrap("  ", fmt.Sprintf("%s %s, expires at %s", terminal.Clean(string(cert.Reason)), when, reconcile.TimeText(cert.NotAfter))))
	if cert.SHA256 == "" {
		b.WriteString(terminal.Wrap("  ", "requested for the user's own key. It may not exist, and no list can name it."))
	} else {
		fmt.Fprintf(b, "  serial %s\n  sha256 %s\n", terminal.Clean(cert.Serial), terminal.Clean(cert.SHA256))
	}
	if cert.Denied {
		b.WriteString("  the admission policy denies its writes\n")
	}
	writeResidual(b, cert.ResidualAccess, c)
}

// writeResidual lists the access that bindings of others give to a certificate, with all rules.
func writeResidual(b *bytes.Buffer, given []access.Given, c terminal.Palette) {
	if len(given) == 0 {
		b.WriteString("  no access except what Kubernetes gives every user\n")
		return
	}
	b.WriteString("  bindings outside this owner still give it:\n")
	for _, g := range given {
		where := "cluster-wide"
		if g.Namespace != "" {
			where = "in namespace " + terminal.QuoteName(g.Namespace)
		}
		whose := ""
		if g.Owner != "" {
			whose = ", of certsync owner " + terminal.QuoteName(g.Owner)
		}
		b.WriteString(terminal.WithSign("    ", "!", c.Red("!"), terminal.Clean(fmt.Sprintf("%s %s, by %s%s, for %s", g.Role, where, g.Binding, whose, g.Subject))))
		for _, r := range g.Rules {
			b.WriteString(terminal.Wrap("        ", terminal.Clean(ruleText(r))))
		}
	}
}

// ruleText is a rule in one line: "get, list pods, services" or "get /metrics".
func ruleText(r reconcile.Rule) string {
	text := strings.Join(r.Verbs, ", ") + " "
	if len(r.URLs) > 0 {
		return text + strings.Join(r.URLs, ", ")
	}
	text += strings.Join(r.Resources, ", ")
	var groups []string
	for _, g := range r.Groups {
		if g == "" {
			g = "core"
		}
		groups = append(groups, g)
	}
	if text += " (" + strings.Join(groups, ", ") + ")"; len(r.Names) > 0 {
		text += " named " + strings.Join(r.Names, ", ")
	}
	return text
}
