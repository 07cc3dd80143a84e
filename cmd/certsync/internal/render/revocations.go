package render

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/revocation"
)

// Revocations shows the revoked certificates that live, and which tiers of revocation are in force.
func Revocations(r revocation.Report, c Palette) []byte {
	var b bytes.Buffer
	title := "Revoked certificates of " + r.Owner + ":"
	count := "none lives"
	if n := len(r.Certificates); n > 0 {
		count = plural(n, "certificate") + " not expired yet"
	}
	b.WriteString(strings.Replace(wrap("", title+" "+count), title, c.bold(title), 1))
	for _, cert := range r.Certificates {
		writeRevokedCertificate(&b, cert, c)
	}
	fmt.Fprintf(&b, "\n%s\n", c.bold("Tiers in force"))
	b.WriteString(wrap("  ", "epoch: yes. certsync binds none of these names, so they get nothing that certsync gives."))
	b.WriteString(wrap("  ", admissionText(r.Tiers)))
	b.WriteString(wrap("  ", "authorization: not visible to certsync. The API server's own configuration says whether it denies everything to these certificates."))
	if r.Left > 0 {
		b.WriteString(wrap("  ! ", fmt.Sprintf("%s not in the lists for the API server: they have room for %d.", plural(r.Left, "certificate"), revocation.MaxEntries)))
	}
	return b.Bytes()
}

func admissionText(t revocation.Tiers) string {
	switch t.Admission {
	case revocation.InForce:
		return "admission: yes. The API server denies all writes of the certificates marked so."
	case revocation.NotInForce:
		return "admission: no: " + Clean(t.AdmissionProblem) + ". Apply the manifests again: certsync manifests --revocation"
	}
	return "admission: no. To deploy it: certsync manifests --revocation"
}

func writeRevokedCertificate(b *bytes.Buffer, cert revocation.Certificate, c Palette) {
	when := "with the next run"
	if cert.Since != nil {
		when = "since " + reconcile.TimeText(*cert.Since)
	}
	fmt.Fprintf(b, "\n%s\n", c.bold(textName(cert.Username)))
	b.WriteString(wrap("  ", fmt.Sprintf("%s %s, lives until %s", Clean(string(cert.Reason)), when, reconcile.TimeText(cert.NotAfter))))
	if cert.SHA256 == "" {
		b.WriteString(wrap("  ", "was requested for the user's own key, and may not exist: no list can name it"))
	} else {
		fmt.Fprintf(b, "  serial %s\n  sha256 %s\n", Clean(cert.Serial), Clean(cert.SHA256))
	}
	if cert.Denied {
		b.WriteString("  its writes are denied by the admission policy\n")
	}
	writeResidual(b, cert.ResidualAccess, c)
}

// writeResidual lists what bindings of others give to a certificate, with all rules.
func writeResidual(b *bytes.Buffer, given []access.Given, c Palette) {
	if len(given) == 0 {
		b.WriteString("  nothing is left to it but what Kubernetes gives everybody\n")
		return
	}
	b.WriteString("  bindings that are not this owner's still give it:\n")
	for _, g := range given {
		where := "cluster-wide"
		if g.Namespace != "" {
			where = "in namespace " + quoteName(g.Namespace)
		}
		whose := ""
		if g.Owner != "" {
			whose = ", of certsync's owner " + quoteName(g.Owner)
		}
		b.WriteString(withSign("    ", "!", c.red("!"), Clean(fmt.Sprintf("%s %s, by %s%s, for %s", g.Role, where, g.Binding, whose, g.Subject))))
		for _, r := range g.Rules {
			b.WriteString(wrap("        ", Clean(ruleText(r))))
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

// AdmissionPolicy writes the admission policy and its binding as YAML, ready to apply.
func AdmissionPolicy(r revocation.Report, objects []any) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Denies all writes of %s of owner %s, made by certsync revocations.
# Apply it with --server-side: kubectl apply without it keeps a copy in an annotation, which may be too large.
# certsync manifests --revocation deploys the same policy for certsync apply to keep it in step.
`, plural(len(r.Entries), "revoked certificate"), r.Owner)
	err := writeDocuments(&b, objects)
	return b.Bytes(), err
}
