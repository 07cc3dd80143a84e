package main

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

// planMarkdown is a plan as a comment below a change of the inventory: the counts, what must be seen first, who gets what,
// the digest, and the rest folded. The first line is for a job that looks for its comment to replace it. What there is no
// room for is left out, the least important first, and the comment says so.
func planMarkdown(plan reconcile.Plan) []byte {
	top := fmt.Sprintf("<!-- certsync plan: %s -->\n**certsync plan for %s**: %s\n", plan.Owner, code(plan.Owner), counts(plan))
	first := seeFirst(plan)
	end := digestMarkdown(plan)
	d := document{room: commentLimit - size(top) - size(first) - size(end) - size(shortened(1<<60, 1<<60))}
	table := d.table(rows(plan, cell))
	folded := ""
	for _, f := range folds(plan) {
		folded += d.fold(f)
	}
	return []byte(top + shortened(d.rowsLeft, d.itemsLeft) + first + table + end + folded)
}

// size is what a text takes of a comment.
func size(s string) int { return utf8.RuneCountInString(s) }

// document counts what room there is left, and what was left out.
type document struct {
	room                int
	rowsLeft, itemsLeft int
}

func shortened(rows, items int) string {
	if rows+items == 0 {
		return ""
	}
	return fmt.Sprintf("\n**Shortened to fit a comment**: %s and %s are left out; `certsync plan` shows them.\n",
		counted(rows, "change"), counted(items, "detail"))
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// row is a line of the table: for whom, what and why.
type row struct{ who, what, why string }

func (r row) String() string { return fmt.Sprintf("| %s | %s | %s |\n", r.who, r.what, r.why) }

const (
	tableHead = "\n| who | what | why |\n|:--|:--|:--|\n"
	namesARow = 20
)

// rows has a row for each change of at most so many people; the first of an entry names them.
func rows(plan reconcile.Plan, quote quoting) []row {
	var all []row
	for _, e := range entries(plan, quote) {
		for names := range slices.Chunk(e.names, namesARow) {
			who := quoted(names, quote)
			if e.group {
				who = "group " + who
			}
			for _, c := range e.changes {
				for objects := range slices.Chunk(c.objects, listed) {
					c.objects = objects
					all = append(all, row{who, c.markdown(quote), c.why()})
					who = ""
				}
			}
		}
	}
	return all
}

// markdown is what a change does, and to whom.
func (c change) markdown(quote quoting) string {
	text := string(c.action) + " " + some(c.objects, func(s string) string { return s })
	if len(c.add) > 0 {
		text += ", adds " + some(c.add, quote)
	}
	if len(c.remove) > 0 {
		text += ", takes out " + some(c.remove, quote)
	}
	return text
}

// some lists names, and counts those that are too many.
func some(names []string, quote quoting) string {
	text := quoted(names[:min(len(names), listed)], quote)
	if more := len(names) - listed; more > 0 {
		text += " and " + thousands(more) + " more"
	}
	return text
}

// table writes as many rows as there is room for.
func (d *document) table(rows []row) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(tableHead)
	d.room -= size(tableHead) + size(row{what: moreRows(1 << 60)}.String())
	for i, r := range rows {
		n := size(r.String())
		if n > d.room {
			d.room, d.rowsLeft = 0, len(rows)-i
			b.WriteString(row{what: moreRows(d.rowsLeft)}.String())
			break
		}
		d.room -= n
		b.WriteString(r.String())
	}
	return b.String()
}

func moreRows(n int) string { return "**and " + thousands(n) + " more**, which `certsync plan` shows" }

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

// fold is a list below a line to click on.
type fold struct {
	title string
	items []string
}

// fold writes as many items as there is room for, and nothing if there is room for none.
func (d *document) fold(f fold) string {
	open := fmt.Sprintf("\n<details>\n<summary>%s: %s</summary>\n\n", f.title, thousands(len(f.items)))
	const end = "\n</details>\n"
	more := func(n int) string {
		return fmt.Sprintf("- **and %s more**, which `certsync plan -o json` shows\n", thousands(n))
	}
	room := d.room - size(open) - size(end) - size(more(1<<60))
	var b strings.Builder
	for i, item := range f.items {
		line := "- " + item + "\n"
		if room -= size(line); room < 0 {
			d.itemsLeft += len(f.items) - i
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
	d.room -= size(text)
	return text
}
