package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
)

// commentLimit is how many characters a comment has at most. GitHub takes 65,536 characters, GitLab a million. The rest is
// room for what a CI job puts around it.
const commentLimit = 60000

// PlanMarkdown shows a plan as a comment on a change of the inventory. It has the summary, the items to check first, a table
// of all changes, the digest, and details to open. The first line marks the comment, so that a job can find and replace it.
// A long plan is shortened, the least important first, and the comment says so.
func PlanMarkdown(plan reconcile.Plan) []byte {
	top := fmt.Sprintf("<!-- certsync plan: %s -->\n**certsync plan for %s**: %s\n", plan.Owner, code(plan.Owner), summaryLine(plan))
	first := attention(plan)
	digest, next := digestMarkdown(plan), nextText(plan, code, prose)
	if next != "" {
		next = "\n" + next + "\n"
	}
	b := budget{room: commentLimit - length(top) - length(first) - length(digest) - length(next) - length(omittedText(1<<60, 1<<60))}
	table := b.table(rows(plan, cell))
	details := ""
	for _, d := range allDetails(plan) {
		details += b.details(d)
	}
	return []byte(top + omittedText(b.rowsOmitted, b.itemsOmitted) + first + table + digest + details + next)
}

// budget counts the characters that are left in a comment, and the rows and items that did not fit.
type budget struct {
	room                      int
	rowsOmitted, itemsOmitted int
}

// omittedText says how much a comment leaves out, or nothing.
func omittedText(rows, items int) string {
	if rows+items == 0 {
		return ""
	}
	return fmt.Sprintf("\n**Shortened to fit a comment**: %s and %s are left out; `certsync plan` shows them.\n",
		pluralWithCommas(rows, "change"), pluralWithCommas(items, "detail"))
}

// row is a row of the table. who is empty if it is the same as in the row above.
type row struct{ who, what, why string }

func (r row) String() string { return fmt.Sprintf("| %s | %s | %s |\n", r.who, r.what, r.why) }

const (
	tableHead   = "\n| who | what | why |\n|:--|:--|:--|\n"
	namesPerRow = 20
)

// rows returns a row for each change, for at most namesPerRow names and maxListed objects.
func rows(plan reconcile.Plan, quote terminal.Quoter) []row {
	var all []row
	for _, e := range entries(plan, quote) {
		for names := range slices.Chunk(e.names, namesPerRow) {
			who := terminal.QuoteAll(names, quote)
			if e.section == groups {
				who = "group " + who
			}
			for _, c := range e.changes {
				for objects := range slices.Chunk(c.objects, terminal.MaxListed) {
					c.objects = objects
					all = append(all, row{who, c.markdown(quote), c.whyMarkdown(quote)})
					who = ""
				}
			}
		}
	}
	return all
}

// whyMarkdown is the reasons of a change, and what the inventory says of it.
func (c change) whyMarkdown(quote terminal.Quoter) string {
	if why := terminal.WhyText(c.why.Given(), quote); why != "" {
		return c.reasonText() + ": " + why
	}
	return c.reasonText()
}

// markdown says what a change does, and which subjects it adds and removes.
func (c change) markdown(quote terminal.Quoter) string {
	text := string(c.action) + " " + firstOf(c.objects, asQuoted)
	if len(c.add) > 0 {
		text += ", adds " + firstOf(c.add, quote)
	}
	if len(c.remove) > 0 {
		text += ", removes " + firstOf(c.remove, quote)
	}
	return text
}

// table writes as many rows as there is room for, and says how many are missing.
func (b *budget) table(rows []row) string {
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = r.String()
	}
	return b.lines(tableHead, lines, func(n int) string { return row{what: moreRows(n)}.String() })
}

// lines writes as many lines of a table as there is room for. more is the line that says how many are missing.
func (b *budget) lines(head string, lines []string, more func(n int) string) string {
	if len(lines) == 0 {
		return ""
	}
	var text strings.Builder
	text.WriteString(head)
	b.room -= length(head) + length(more(1<<60))
	for i, line := range lines {
		n := length(line)
		if n > b.room {
			b.room, b.rowsOmitted = 0, len(lines)-i
			text.WriteString(more(b.rowsOmitted))
			break
		}
		b.room -= n
		text.WriteString(line)
	}
	return text.String()
}

func moreRows(n int) string {
	return "**and " + terminal.WithCommas(n) + " more**, which `certsync plan` shows"
}

// digestMarkdown shows the digest, and the command that applies exactly this plan.
func digestMarkdown(plan reconcile.Plan) string {
	if !plan.Changes() {
		return ""
	}
	text := fmt.Sprintf("\n**Digest**: `%s`\n\n```sh\ncertsync apply --expect %s\n```\n", plan.Digest(), plan.Digest())
	if len(plan.Refusals()) > 0 {
		text += "\napply refuses this plan until you settle the refused and held items above.\n"
	}
	return text
}

// details is a list that the reader opens by a click on its title.
type details struct {
	title string
	items []string
}

// details writes as many items as there is room for, or nothing if not even one fits.
func (b *budget) details(d details) string {
	open := fmt.Sprintf("\n<details>\n<summary>%s: %s</summary>\n\n", d.title, terminal.WithCommas(len(d.items)))
	const end = "\n</details>\n"
	more := func(n int) string {
		return fmt.Sprintf("- **and %s more**, which `certsync plan -o json` shows\n", terminal.WithCommas(n))
	}
	room := b.room - length(open) - length(end) - length(more(1<<60))
	var list strings.Builder
	for i, item := range d.items {
		line := "- " + item + "\n"
		if room -= length(line); room < 0 {
			b.itemsOmitted += len(d.items) - i
			if i == 0 {
				return ""
			}
			list.WriteString(more(len(d.items) - i))
			break
		}
		list.WriteString(line)
	}
	if len(d.items) == 0 {
		return ""
	}
	text := open + list.String() + end
	b.room -= length(text)
	return text
}

// allDetails returns the notes, the certificates that stay valid, the steps that the policy holds, and every step.
func allDetails(plan reconcile.Plan) []details {
	notes, live, policy, steps := details{title: "Notes"}, details{title: "Certificates that stay valid"}, details{title: "Held by the policy"}, details{title: "All steps"}
	for _, g := range groupNotes(plan) {
		switch g.kind() {
		case reconcile.ExistingAccess: // in attention
		case reconcile.LiveCertificate, reconcile.UnknownCertificate:
			for _, n := range g.notes { // one item each, with its own end
				live.items = append(live.items, noteGroup{notes: []reconcile.Note{n}}.markdown())
			}
		default:
			notes.items = append(notes.items, "**"+string(g.kind())+"**: "+g.markdown())
		}
	}
	for _, s := range plan.HeldByPolicy() {
		policy.items = append(policy.items, stepSubject(s)+" "+stepMarkdown(plan, s))
	}
	for _, s := range plan.Steps {
		steps.items = append(steps.items, stepInFull(plan, s))
	}
	return []details{notes, live, policy, steps}
}
