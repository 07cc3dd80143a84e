package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/certsync/certsync/reconcile"
)

// shown is how text quotes a name.
func shown(s string) string { return clean(name(s)) }

// entryText is an entry in as few lines as it takes: one, if what happens is one thing and there is room.
func entryText(c palette, e entry) string {
	if len(e.changes) == 1 && len(e.names) <= listed {
		return e.changes[0].text(c, "  ", listOf(e.names, len(e.names))+": ")
	}
	who := listOf(e.names, len(e.names))
	if len(e.names) > listed {
		who += fmt.Sprintf(" (%d)", len(e.names))
	}
	text := fill("  ", who)
	for _, ch := range e.changes {
		text += ch.text(c, "    ", "")
	}
	return text
}

// text is a change behind a margin and who it is for: in one line, if there is room, else with the subjects below.
func (ch change) text(c palette, margin, who string) string {
	plain, text := sign(false, ch.action), who+ch.phrase()
	if utf8.RuneCountInString(margin+plain+" "+text+ch.inline(false)) <= lineWidth {
		return margin + sign(c, ch.action) + " " + text + ch.inline(c) + "\n" + ch.warning(c)
	}
	return signed(margin, plain, sign(c, ch.action), text) +
		members("+", c.green("+"), ch.add) + members("-", c.red("-"), ch.remove) + ch.warning(c)
}

// phrase is what a change does, to what, and why.
func (ch change) phrase() string {
	return fmt.Sprintf("%s %s (%s)", ch.action, strings.Join(ch.objects, ", "), ch.why())
}

// inline are the subjects that a change adds and takes out, for the end of its line.
func (ch change) inline(c palette) string {
	text := ""
	if len(ch.add) > 0 {
		text += " " + c.green("+") + " " + listOf(ch.add, listed)
	}
	if len(ch.remove) > 0 {
		text += " " + c.red("-") + " " + listOf(ch.remove, listed)
	}
	return text
}

// warning marks what makes as good as cluster-admin.
func (ch change) warning(c palette) string {
	if ch.powerful == "" {
		return ""
	}
	return signed(membersMargin, "!", c.red("!"), "as good as cluster-admin: "+ch.powerful)
}

// signed fills text behind a sign, whose colour takes no room.
func signed(margin, sign, coloured, text string) string {
	return strings.Replace(fill(margin+sign+" ", text), sign, coloured, 1)
}

// sign says at a glance whether an action gives, changes or takes.
func sign(c palette, a reconcile.Action) string {
	switch a {
	case reconcile.Issue, reconcile.Bind:
		return c.green("+")
	case reconcile.Unbind, reconcile.Remove, reconcile.Purge:
		return c.red("-")
	}
	return c.yellow("~")
}

// object names what a step writes as people do.
func object(plan reconcile.Plan, s reconcile.Step, quote quoting) string {
	switch s.Action {
	case reconcile.Renew:
		return "certificate" // the same again
	case reconcile.Issue, reconcile.Reissue:
		text := "certificate for " + short(s.Detail.Expiration)
		if len(s.Detail.Groups) > 0 && (s.Action == reconcile.Issue || slices.ContainsFunc(s.Reasons, otherGroups)) {
			text += " in " + quoted(s.Detail.Groups, quote)
		}
		if s.Detail.PublicKeySHA256 != "" {
			text += ", for their own key " + quote("sha256:"+s.Detail.PublicKeySHA256)
		}
		return text
	case reconcile.Remove:
		return "credential and all bindings"
	case reconcile.Purge:
		return rubbish(s)
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

// otherGroups reports whether a certificate that is made anew for a reason may be for other groups than the last one. For other
// reasons certsync has compared the two, and the same groups need no mention.
func otherGroups(r reconcile.Reason) bool {
	switch r {
	case reconcile.GroupsChanged, reconcile.Reinstated, reconcile.Retried, reconcile.LedgerMissing, reconcile.LedgerUnreadable:
		return true
	}
	return false
}

func quoted(names []string, quote quoting) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quote(n)
	}
	return strings.Join(out, ", ")
}

// rubbish is what a purge clears.
func rubbish(s reconcile.Step) string {
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
func short(duration string) string {
	if strings.HasSuffix(duration, "m0s") {
		duration = strings.TrimSuffix(duration, "0s")
	}
	if strings.HasSuffix(duration, "h0m") {
		duration = strings.TrimSuffix(duration, "0m")
	}
	return duration
}

// listed is how many of a binding's subjects are shown; -o json has them all.
const listed = 10

// listOf lists names, and counts those that are more than most.
func listOf(names []string, most int) string {
	text := quoted(names[:min(len(names), most)], shown)
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
	return signed(membersMargin, sign, coloured, listOf(names, listed))
}
