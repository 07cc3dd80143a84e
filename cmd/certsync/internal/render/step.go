package render

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// textName is how text quotes a name.
func textName(s string) string { return Clean(quoteName(s)) }

// entryText is an entry in as few lines as it takes: one, if what happens is one thing and there is room.
func entryText(c Palette, e entry) string {
	if len(e.changes) == 1 && len(e.names) <= maxListed {
		return e.changes[0].text(c, "  ", nameList(e.names, len(e.names))+": ")
	}
	who := nameList(e.names, len(e.names))
	if len(e.names) > maxListed {
		who += fmt.Sprintf(" (%d)", len(e.names))
	}
	text := wrap("  ", who)
	for _, ch := range e.changes {
		text += ch.text(c, "    ", "")
	}
	return text
}

// text is a change behind a margin and who it is for: in one line, if there is room, else with the subjects below.
func (ch change) text(c Palette, margin, who string) string {
	plain, text := sign(false, ch.action), who+ch.phrase()
	if utf8.RuneCountInString(margin+plain+" "+text+ch.inline(false)) <= lineWidth {
		return margin + sign(c, ch.action) + " " + text + ch.inline(c) + "\n" + ch.warning(c)
	}
	return withSign(margin, plain, sign(c, ch.action), text) +
		members("+", c.green("+"), ch.add) + members("-", c.red("-"), ch.remove) + ch.warning(c)
}

// phrase is what a change does, to what, and why.
func (ch change) phrase() string {
	return fmt.Sprintf("%s %s (%s)", ch.action, strings.Join(ch.objects, ", "), ch.reasonText())
}

// inline are the subjects that a change adds and takes out, for the end of its line.
func (ch change) inline(c Palette) string {
	text := ""
	if len(ch.add) > 0 {
		text += " " + c.green("+") + " " + nameList(ch.add, maxListed)
	}
	if len(ch.remove) > 0 {
		text += " " + c.red("-") + " " + nameList(ch.remove, maxListed)
	}
	return text
}

// warning marks what makes as good as cluster-admin.
func (ch change) warning(c Palette) string {
	if ch.powerful == "" {
		return ""
	}
	return withSign(membersMargin, "!", c.red("!"), "as good as cluster-admin: "+ch.powerful)
}

// signed fills text behind a sign, whose colour takes no room.
func withSign(margin, sign, coloured, text string) string {
	return strings.Replace(wrap(margin+sign+" ", text), sign, coloured, 1)
}

// sign says at a glance whether an action gives, changes or takes.
func sign(c Palette, a reconcile.Action) string {
	switch a {
	case reconcile.Issue, reconcile.Bind:
		return c.green("+")
	case reconcile.Unbind, reconcile.Remove, reconcile.Purge:
		return c.red("-")
	}
	return c.yellow("~")
}

// object names what a step writes as people do.
func objectText(plan reconcile.Plan, s reconcile.Step, quote quoter) string {
	switch s.Action {
	case reconcile.Renew:
		return "certificate" // the same again
	case reconcile.Issue, reconcile.Reissue:
		text := "certificate for " + durationText(s.Detail.Expiration)
		if len(s.Detail.Groups) > 0 && (s.Action == reconcile.Issue || slices.ContainsFunc(s.Reasons, mayChangeGroups)) {
			text += " in " + quoteAll(s.Detail.Groups, quote)
		}
		if s.Detail.PublicKeySHA256 != "" {
			text += ", for their own key " + quote("sha256:"+s.Detail.PublicKeySHA256)
		}
		return text
	case reconcile.Remove:
		return "credential and all bindings"
	case reconcile.Purge:
		return purgedText(s)
	}
	g, ok := plan.Grant(s)
	if !ok {
		return quote(s.Object)
	}
	text := quote(g.Role)
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

// mayChangeGroups reports whether a certificate that is made anew for a reason may be for other groups than the last one. For other
// reasons certsync has compared the two, and the same groups need no mention.
func mayChangeGroups(r reconcile.Reason) bool {
	switch r {
	case reconcile.GroupsChanged, reconcile.Reinstated, reconcile.Retried, reconcile.LedgerMissing, reconcile.LedgerUnreadable:
		return true
	}
	return false
}

func quoteAll(names []string, quote quoter) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quote(n)
	}
	return strings.Join(out, ", ")
}

// rubbish is what a purge clears.
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

// short takes the zeros off a Go duration: 168h0m0s is 168h.
func durationText(duration string) string {
	d, err := time.ParseDuration(duration)
	if err != nil {
		return Clean(duration)
	}
	return inventory.DurationText(d)
}

// maxListed is how many of a binding's subjects are textName; -o json has them all.
const maxListed = 10

// listOf lists names, and counts those that are more than most.
func nameList(names []string, most int) string {
	text := quoteAll(names[:min(len(names), most)], textName)
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

const membersMargin = "      "

// members lists the subjects that a step adds or takes out.
func members(sign, coloured string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return withSign(membersMargin, sign, coloured, nameList(names, maxListed))
}
