package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/reconcile"
)

// stepText is a step in its lines: what it does, to what, why, and for whom.
func stepText(c palette, plan reconcile.Plan, s reconcile.Step) string {
	text := fmt.Sprintf("    %s %-7s %s\n", sign(c, s), s.Action, what(plan, s))
	if s.Detail != nil {
		if s.Detail.PublicKeySHA256 != "" {
			text += "        sha256:" + clean(s.Detail.PublicKeySHA256) + "\n" // 79 columns
		}
		text += members(c.green("+"), s.Detail.Add) + members(c.red("-"), s.Detail.Remove)
	}
	return text
}

// sign says at a glance whether a step gives, changes or takes.
func sign(c palette, s reconcile.Step) string {
	switch s.Action {
	case reconcile.Issue, reconcile.Bind:
		return c.green("+")
	case reconcile.Unbind, reconcile.Remove, reconcile.Purge:
		return c.red("-")
	}
	return c.yellow("~")
}

// what is what a step writes, and why.
func what(plan reconcile.Plan, s reconcile.Step) string {
	reasons := make([]string, len(s.Reasons))
	for i, r := range s.Reasons {
		reasons[i] = string(r)
	}
	return fmt.Sprintf("%s (%s)", object(plan, s), strings.Join(reasons, ", "))
}

// object names what a step writes as people do.
func object(plan reconcile.Plan, s reconcile.Step) string {
	switch s.Action {
	case reconcile.Issue, reconcile.Renew, reconcile.Reissue:
		text := "certificate for " + short(s.Detail.Expiration)
		if len(s.Detail.Groups) > 0 {
			text += " in " + strings.Join(s.Detail.Groups, ", ")
		}
		if s.Detail.PublicKeySHA256 != "" {
			text += ", for their own key"
		}
		return text
	case reconcile.Remove:
		return "credential"
	case reconcile.Purge:
		return rubbish(s)
	}
	g, ok := plan.Grant(s)
	if !ok {
		return clean(s.Object)
	}
	text := clean(g.String())
	if g.Part > 1 {
		text += fmt.Sprintf(", part %d", g.Part)
	}
	return text
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

// members lists the subjects that a step adds or takes out.
func members(sign string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	shown := make([]string, min(len(names), listed))
	for i := range shown {
		shown[i] = name(names[i])
	}
	text := strings.Join(shown, ", ")
	if more := len(names) - listed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	const margin, signed = "            ", "              "
	return margin + sign + " " + strings.TrimPrefix(fill(signed, clean(text)), signed) // fill would count a sign's colour
}
