package render

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// text shows an entry: in one line if it has one change and there is room.
func (e entry) text(c terminal.Palette) string {
	if len(e.changes) == 1 && len(e.names) <= terminal.MaxListed {
		return e.changes[0].text(c, "  ", terminal.NameList(e.names, len(e.names))+": ")
	}
	names := terminal.NameList(e.names, len(e.names))
	if len(e.names) > terminal.MaxListed {
		names += fmt.Sprintf(" (%d)", len(e.names))
	}
	text := terminal.Wrap("  ", names)
	for _, ch := range e.changes {
		text += ch.text(c, "    ", "")
	}
	return text
}

// text shows a change behind a margin and a beginning: in one line if there is room, else with its subjects below.
func (ch change) text(c terminal.Palette, margin, beginning string) string {
	plain, text := sign(false, ch.action), beginning+ch.phrase()
	if utf8.RuneCountInString(margin+plain+" "+text+ch.inline(false)) <= terminal.LineWidth {
		return margin + sign(c, ch.action) + " " + text + ch.inline(c) + "\n" + ch.below(c)
	}
	return terminal.WithSign(margin, plain, sign(c, ch.action), text) + memberLines(c, ch.add, ch.remove) + ch.below(c)
}

// phrase is the action of a change, its objects and its reasons.
func (ch change) phrase() string {
	return fmt.Sprintf("%s %s (%s)", ch.action, strings.Join(ch.objects, ", "), ch.reasonText())
}

// inline lists the subjects that a change adds and removes, for the end of its line.
func (ch change) inline(c terminal.Palette) string {
	text := ""
	if len(ch.add) > 0 {
		text += " " + c.Green("+") + " " + terminal.NameList(ch.add, terminal.MaxListed)
	}
	if len(ch.remove) > 0 {
		text += " " + c.Red("-") + " " + terminal.NameList(ch.remove, terminal.MaxListed)
	}
	return text
}

// below is what stands below a change: why, and the warning.
func (ch change) below(c terminal.Palette) string {
	return terminal.WhyLine(ch.why.Given(), memberMargin) + ch.warning(c)
}

// warning says why a change makes a user as good as cluster-admin, if it does.
func (ch change) warning(c terminal.Palette) string {
	if ch.powerful == "" {
		return ""
	}
	return terminal.WithSign(memberMargin, "!", c.Red("!"), "as good as cluster-admin: "+ch.powerful)
}

// sign shows whether an action gives access (+), changes it (~) or takes it away (-).
func sign(c terminal.Palette, a reconcile.Action) string {
	switch a {
	case reconcile.Issue, reconcile.Bind:
		return c.Green("+")
	case reconcile.Unbind, reconcile.Remove, reconcile.Purge:
		return c.Red("-")
	}
	return c.Yellow("~")
}

// objectText names the object that a step writes, by its role or its certificate.
func objectText(plan reconcile.Plan, s reconcile.Step, quote terminal.Quoter) string {
	if s.Kind == reconcile.AdmissionPolicy {
		return "the list of revoked certificates"
	}
	switch s.Action {
	case reconcile.Update:
		if s.Object() == "" {
			return "protection"
		}
	case reconcile.Renew:
		return "certificate" // like the one before
	case reconcile.Issue, reconcile.Reissue:
		return certificateObject(s, quote)
	case reconcile.Remove:
		return "credential and all bindings"
	case reconcile.Purge:
		return purgedText(s)
	}
	g, ok := plan.Grant(s)
	if !ok {
		return quote(s.Object())
	}
	text := quote(g.Role)
	if g.RoleKind == reconcile.NamespaceRole {
		text = "Role " + text
	}
	if g.Namespace == "" {
		text += " cluster-wide"
	} else {
		text += " in " + quote(g.Namespace)
	}
	if g.Part > 1 {
		text += fmt.Sprintf(" (part %d)", g.Part)
	}
	return text
}

// certificateObject describes the certificate of an issue or a reissue.
func certificateObject(s reconcile.Step, quote terminal.Quoter) string {
	text := "certificate for " + durationText(s.Detail.Expiration)
	if len(s.Detail.Groups) > 0 && (s.Action == reconcile.Issue || slices.ContainsFunc(s.Reasons, mayChangeGroups)) {
		text += " in " + firstGroups(s.Detail.Groups, quote)
	}
	if s.Username != s.User {
		text += ", as " + quote(s.Username) + " in Kubernetes"
	}
	if s.Detail.PublicKeySHA256 != "" {
		text += ", for the user's own key " + quote("sha256:"+s.Detail.PublicKeySHA256)
	}
	return text
}

// maxGroups is how many groups of a certificate one line names. A certificate can have thousands, which would fill a comment. The
// entries of the other groups name the user.
const maxGroups = 25

func firstGroups(groups []string, quote terminal.Quoter) string {
	text := terminal.QuoteAll(groups[:min(len(groups), maxGroups)], quote)
	if more := len(groups) - maxGroups; more > 0 {
		text += " and " + terminal.WithCommas(more) + " more"
	}
	return text
}

// mayChangeGroups reports whether a certificate that is reissued for this reason may have other groups than the last one.
// For the other reasons certsync has compared them, and they are the same.
func mayChangeGroups(r reconcile.Reason) bool {
	switch r {
	case reconcile.GroupsChanged, reconcile.Reinstated, reconcile.Retried, reconcile.LedgerMissing, reconcile.LedgerUnreadable:
		return true
	}
	return false
}

// purgedText lists the ledger entries and versions that a purge deletes.
func purgedText(s reconcile.Step) string {
	var parts []string
	if slices.Contains(s.Reasons, reconcile.CertificatesExpired) {
		parts = append(parts, "expired ledger entries")
	}
	if s.Detail != nil && len(s.Detail.Versions) > 0 {
		numbers := strings.Fields(strings.Trim(fmt.Sprint(s.Detail.Versions), "[]"))
		parts = append(parts, "old credential versions "+strings.Join(numbers, ", "))
	}
	return strings.Join(parts, " and ")
}

// durationText shows a duration of a plan as an inventory writes it: 168h instead of 168h0m0s.
func durationText(goDuration string) string {
	d, err := time.ParseDuration(goDuration)
	if err != nil {
		return terminal.Clean(goDuration)
	}
	return inventory.DurationText(d)
}

// memberMargin indents lines that belong to the change above them.
const memberMargin = "      "

// memberLines lists the subjects that a change adds and removes, each kind on lines of its own.
func memberLines(c terminal.Palette, add, remove []string) string {
	text := ""
	if len(add) > 0 {
		text += terminal.WithSign(memberMargin, "+", c.Green("+"), terminal.NameList(add, terminal.MaxListed))
	}
	if len(remove) > 0 {
		text += terminal.WithSign(memberMargin, "-", c.Red("-"), terminal.NameList(remove, terminal.MaxListed))
	}
	return text
}
