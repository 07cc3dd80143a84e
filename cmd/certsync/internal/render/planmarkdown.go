package render

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/certsync/certsync/reconcile"
)

// commentLimit is how many characters a comment has at most. GitHub takes 65,536 (characters, not bytes), GitLab a
// million; what a CI job puts around it has room too.
const commentLimit = 60000

// PlanMarkdown is a plan as a comment below a change of the inventory: the counts, what must be seen first, who gets what,
// the digest, and the rest folded. The first line is for a job that looks for its comment to replace it. What there is no
// room for is left out, the least important first, and the comment says so.
func PlanMarkdown(plan reconcile.Plan) []byte {
	top := fmt.Sprintf("<!-- certsync plan: %s -->\n**certsync plan for %s**: %s\n", plan.Owner, code(plan.Owner), summaryLine(plan))
	first := attention(plan)
	end := digestMarkdown(plan)
	d := budget{room: commentLimit - length(top) - length(first) - length(end) - length(omittedText(1<<60, 1<<60))}
	table := d.table(rows(plan, cell))
	folded := ""
	for _, f := range allDetails(plan) {
		folded += d.details(f)
	}
	return []byte(top + omittedText(d.rowsOmitted, d.itemsOmitted) + first + table + end + folded)
}

// size is what a text takes of a comment.
func length(s string) int { return utf8.RuneCountInString(s) }

// budget counts what room there is left, and what was left out.
type budget struct {
	room                      int
	rowsOmitted, itemsOmitted int
}

func omittedText(rows, items int) string {
	if rows+items == 0 {
		return ""
	}
	return fmt.Sprintf("\n**Shortened to fit a comment**: %s and %s are left out; `certsync plan` shows them.\n",
		pluralWithCommas(rows, "change"), pluralWithCommas(items, "detail"))
}

func pluralWithCommas(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return withCommas(n) + " " + noun + "s"
}

// row is a line of the table: for whom, what and why.
type row struct{ who, what, why string }

func (r row) String() string { return fmt.Sprintf("| %s | %s | %s |\n", r.who, r.what, r.why) }

const (
	tableHead = "\n| who | what | why |\n|:--|:--|:--|\n"
	namesARow = 20
)

// rows has a row for each change of at most so many people; the first of an entry names them.
func rows(plan reconcile.Plan, quote quoter) []row {
	var all []row
	for _, e := range entries(plan, quote) {
		for names := range slices.Chunk(e.names, namesARow) {
			who := quoteAll(names, quote)
			if e.group {
				who = "group " + who
			}
			for _, c := range e.changes {
				for objects := range slices.Chunk(c.objects, maxListed) {
					c.objects = objects
					all = append(all, row{who, c.markdown(quote), c.reasonText()})
					who = ""
				}
			}
		}
	}
	return all
}

// markdown is what a change does, and to whom.
func (c change) markdown(quote quoter) string {
	text := string(c.action) + " " + firstNames(c.objects, func(s string) string { return s })
	if len(c.add) > 0 {
		text += ", adds " + firstNames(c.add, quote)
	}
	if len(c.remove) > 0 {
		text += ", takes out " + firstNames(c.remove, quote)
	}
	return text
}

// some lists names, and counts those that are too many.
func firstNames(names []string, quote quoter) string {
	text := quoteAll(names[:min(len(names), maxListed)], quote)
	if more := len(names) - maxListed; more > 0 {
		text += " and " + withCommas(more) + " more"
	}
	return text
}

// table writes as many rows as there is room for.
func (d *budget) table(rows []row) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(tableHead)
	d.room -= length(tableHead) + length(row{what: moreRows(1 << 60)}.String())
	for i, r := range rows {
		n := length(r.String())
		if n > d.room {
			d.room, d.rowsOmitted = 0, len(rows)-i
			b.WriteString(row{what: moreRows(d.rowsOmitted)}.String())
			break
		}
		d.room -= n
		b.WriteString(r.String())
	}
	return b.String()
}

func moreRows(n int) string { return "**and " + withCommas(n) + " more**, which `certsync plan` shows" }

// digestMarkdown is what to apply, and how.
func digestMarkdown(plan reconcile.Plan) string {
	if !plan.Changes() {
		return ""
	}
	text := fmt.Sprintf("\n**Digest**: `%s`\n\n```sh\ncertsync apply --expect %s\n```\n", plan.Digest(), plan.Digest())
	if len(plan.Refusals()) > 0 {
		text += "\napply refuses this plan until what is refused and held above is settled.\n"
	}
	return text
}

// details is a list below a line to click on.
type details struct {
	title string
	items []string
}

// details writes as many items as there is room for, and nothing if there is room for none.
func (d *budget) details(f details) string {
	open := fmt.Sprintf("\n<details>\n<summary>%s: %s</summary>\n\n", f.title, withCommas(len(f.items)))
	const end = "\n</details>\n"
	more := func(n int) string {
		return fmt.Sprintf("- **and %s more**, which `certsync plan -o json` shows\n", withCommas(n))
	}
	room := d.room - length(open) - length(end) - length(more(1<<60))
	var b strings.Builder
	for i, item := range f.items {
		line := "- " + item + "\n"
		if room -= length(line); room < 0 {
			d.itemsOmitted += len(f.items) - i
			if i == 0 {
				return ""
			}
			b.WriteString(more(len(f.items) - i))
			break
		}
		b.WriteString(line)
	}
	if len(f.items) == 0 {
		return ""
	}
	text := open + b.String() + end
	d.room -= length(text)
	return text
}
