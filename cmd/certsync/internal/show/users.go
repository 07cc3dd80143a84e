package show

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/status"
)

// Users shows everything in a report about each of its users.
func Users(r status.Report, c terminal.Palette) []byte {
	var b bytes.Buffer
	for i, u := range r.Users {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s %s\n", c.Bold(terminal.TextName(u.Name)+":"), stateText(c, u.State, 0))
		if u.Detail != "" {
			b.WriteString(terminal.Wrap("  ", terminal.Clean(u.Detail)))
		}
		if u.Username != u.Name {
			b.WriteString(terminal.Wrap("  Kubernetes name ", terminal.TextName(u.Username)))
		}
		if u.Since != nil && (u.State == status.HasLeft || u.State == status.HasLapsed || u.State == status.StandsDenied) {
			fmt.Fprintf(&b, "  since %s\n", reconcile.TimeText(*u.Since))
		}
		if u.From != nil && u.From.After(r.At) {
			fmt.Fprintf(&b, "  access begins at %s\n", reconcile.TimeText(*u.From))
		}
		if u.Until != nil {
			fmt.Fprintf(&b, "  access ends at %s\n", reconcile.TimeText(*u.Until))
		}
		b.WriteString(terminal.WhyLine(u.Why, "  "))
		if u.Protected {
			b.WriteString("  protected\n")
		}
		if len(u.Groups) > 0 {
			b.WriteString(terminal.Wrap("  groups ", strings.Join(u.Groups, ", ")))
		}
		for _, g := range u.Grants {
			writeGrant(&b, c, g)
		}
		for _, cert := range u.Certificates {
			writeCertificate(&b, cert)
			if len(cert.ResidualAccess) > 0 {
				writeResidual(&b, cert.ResidualAccess, c)
			}
		}
		if len(u.Certificates) == 0 {
			b.WriteString("  no valid certificate\n")
		}
	}
	b.WriteString(everybodyText(r, c))
	return b.Bytes()
}

func writeGrant(b *bytes.Buffer, c terminal.Palette, g status.Grant) {
	sign := map[status.BindingStatus]string{
		status.IsBound: c.Green("+"), status.HasEnded: "-", status.IsAhead: "-", status.IsUnwanted: c.Red("!"),
		status.IsMissing: c.Yellow("~"),
	}[g.Binding]
	from := "own"
	if g.Group != "" {
		from = "from group " + terminal.QuoteName(g.Group)
	}
	text := fmt.Sprintf("%s, %s, %s", g.Binding, g, from)
	if g.From != nil && g.Binding != status.IsBound {
		text += ", from " + reconcile.TimeText(*g.From)
	}
	if g.Until != nil {
		text += ", until " + reconcile.TimeText(*g.Until)
	}
	const margin = "    " // as wide as the sign and its blanks, without the colour
	b.WriteString("  " + sign + " " + strings.TrimPrefix(terminal.Wrap(margin, terminal.Clean(text)), margin))
	b.WriteString(terminal.WhyLine(g.Why, margin))
}

func writeCertificate(b *bytes.Buffer, cert status.AcceptedCertificate) {
	text := fmt.Sprintf("certificate %s, until %s", cert.Status, reconcile.TimeText(cert.NotAfter))
	if cert.Status == reconcile.Revoked { // the API server does not know of the revocation
		text = fmt.Sprintf("certificate %s, still accepted until %s", cert.Status, reconcile.TimeText(cert.NotAfter))
	}
	// certsync never saw the answer to this request. The signer may have issued the certificate.
	requested := cert.SHA256 == "" && cert.PublicKeySHA256 != ""
	if requested {
		text = fmt.Sprintf("certificate %s, may exist, until %s at the latest", cert.Status, reconcile.TimeText(cert.NotAfter))
	}
	for i, g := range cert.Groups {
		if i == 0 {
			text += ", in"
		} else {
			text += ","
		}
		text += " " + terminal.QuoteName(g)
	}
	b.WriteString(terminal.Wrap("  ", terminal.Clean(text)))
	if !requested {
		fmt.Fprintf(b, "    serial %s\n    sha256 %s\n", terminal.Clean(cert.Serial), terminal.Clean(cert.SHA256))
	}
	if cert.PublicKeySHA256 != "" {
		fmt.Fprintf(b, "    for the user's own key, sha256\n      %s\n", terminal.Clean(cert.PublicKeySHA256))
	}
}
