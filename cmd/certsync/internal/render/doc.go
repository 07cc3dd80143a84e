// Package render turns plans and their results into text for people: for a terminal, and for a comment below a change in git.
//
// Begin with Plan, which shows a plan on a terminal, and PlanMarkdown, which makes a comment of it. Both use the same
// entries (entries.go), so they always agree. An entry holds the changes of one user, one group, or several with the same
// changes. Progress follows a run, and Result shows what it did. Package show has the text of the commands that change nothing.
// Package generate has the files that an administrator applies or runs, and package terminal has what these packages share.
//
//	plan.go, step.go, notes.go    a plan on a terminal: its steps and its notes
//	planmarkdown.go, attention.go a plan in a comment, and the list at its top that a reviewer must see
//	planclusters.go, planclustersmarkdown.go
//	                              both for several clusters
//	begins.go, kubeconfigs.go     access that begins later, and where kubeconfigs lead
//	progress.go, result.go        a run, while it goes on and at its end
//	validated.go, sameas.go       validate, and validate --same-as
//	merge.go, nextsteps.go        kubeconfig --merge, and the commands to run next
//
// The package is pure. It takes data and returns text, or writes text to an io.Writer. It reads no flag, environment,
// file or clock, and asks no server. The same data gives the same bytes, and rendering never changes the data.
//
// # Text from others
//
// Users who can write to the cluster or to Vault choose names of objects and messages of servers. Such text must not
// control a terminal, become markup, or look like text of certsync itself:
//
//   - For a terminal, it passes terminal.Clean: control characters become escapes, and it cannot begin a line of its own.
//   - In Markdown, it also stands in a code span (markdown.go). It holds no markup, mention, link or command there.
//
// # Size
//
// A plan is at most 80 characters wide in a terminal, unless a single word is longer. A comment has at most 60,000 characters. It leaves
// out the least important first, and says how much is left out.
package render
