// Command certsync gives users access to a Kubernetes cluster with client certificates, from a users.yaml in git.
//
// Begin at program.Run in program.go: it parses the command line and carries out one command. Each command has a file of its
// name, with its flags, its help and its method Run: plan.go, apply.go, status.go and so on. The other files:
//
//	program.go                    the list of commands, and program.fail: how an error becomes a message and an exit code
//	exitcodes.go                  names for the codes of package exit
//	help.go, environment.go       the first help, and variables that set no flag
//	variables.go                  the warning about CERTSYNC_ variables that match no flag
//	flags.go, vaultlogin.go       flags that commands share, and the connections to the cluster and to Vault
//	rules.go                      the guards' flags, such as --max-removals (reconcile/plan guards), and those that lift a refusal
//	clusters.go                   how a command that only reads works on several clusters
//	terminal.go                   what goes to stdout and to stderr, and where there are colours
//	nextstep.go                   names the next commands, for a person on a terminal
//
// For apply:
//
//	applyopen.go                  the parts of a run: cluster, Vault, signer, executor
//	consent.go                    how apply asks, and that --yes and --expect answer. reconcile/apply (terms.go) compares
//	                              --expect, and package fleet for several clusters
//	lock.go                       --lock-timeout, and how the lock names its holder
//	applyall.go                   several clusters
//	removals.go                   --removals-only: without Vault
//	reporting.go                  the report file, then Events and metrics
//
// For other commands: credentialflags.go has the flags of credential and kubeconfig, plugin.go has kubeconfig --exec, and
// manifests_vault.go has manifests --vault.
//
// # Exit codes
//
// Package exit lists the codes. A command returns an error, and program.fail turns it into the code. An exitStatus is its own code.
// After a signal, any other error is 130. Otherwise its type decides: reconcile.Refused is 3, reconcile.Locked is 4,
// reconcile.UnknownName is 80, and all others are 1. A command line that cannot be parsed is 80, see program.misused.
//
// The exitStatus of an apply whose steps ran is from applying.report in apply.go. Over several clusters, the code is from ending.go
// of package fleet.
//
// # Packages
//
// The packages below internal, by what they are for. The command line:
//
//	completion    completes command lines in bash, zsh and fish
//	exit          the exit codes, and what they mean
//	flagvalue     flags whose values must have a form: owners, label keys, --adopt, schedules, addresses of Vault
//	invocation    the names under which certsync is started, and hints for commands and flags of other programs
//	prompt        reads what a person types
//	variables     the CERTSYNC_ variables: which flag they set, and which set none
//
// A run:
//
//	fleet         a command for several clusters side by side
//	issuing       chooses the signer of certificates
//	vaultlogin    chooses the login to Vault, and reads its CA for manifests
//	credentials   the users' side: the cache of kubectl's plugin, and kubeconfigs from Vault
//	starter       the inventory that init writes
//	nextstep      which commands to name after a success
//
// Output:
//
//	render        plans, and the results of runs, as text and as Markdown
//	show          status, preflight, revocations and the list of users as text
//	reviewpage    an access review as HTML and as CSV
//	generate      files for other programs: manifests, scripts, the API server's configuration, inventories
//	terminal      what these texts share: colours, safe names, wrapped lines
//	reporting     reports on runs: events as JSON, the file, Events in the cluster, metrics
//	reportfile    the file of --report
//	pushgateway   pushes metrics
//
// Package fixture has data and helpers for tests.
package main
