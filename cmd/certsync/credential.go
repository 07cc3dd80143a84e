package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
	"github.com/certsync/certsync/vaultstore"
)

type credentialCmd struct {
	credentialFlags
	clientKeyFlags
	Refresh bool `help:"Ask Vault in any case, and replace what is in the cache."`
}

// Help is shown below the flags.
func (credentialCmd) Help() string {
	return `Prints a credential for kubectl, which runs this command by itself if the kubeconfig says so, and so gets its certificates from Vault. Have that written into yours, or write it yourself:

  certsync kubeconfig --owner=prod-eu --user=alice@example.com --merge --exec

  users:
  - name: alice@example.com@prod-eu
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: certsync
        args: [credential, --owner=prod-eu, --user=alice@example.com]
        interactiveMode: Never

It is kept in a file that nobody else can read, in the folder certsync of your cache folder, ~/.cache on Linux. For 5 minutes Vault is not asked again. A certificate is used until the last tenth of its life, even if Vault has a newer one: a program that gets another certificate loses its connections. One with other groups, another CA or another kind of key is used at once. While Vault cannot be reached, what is in the file is used until the certificate ends; when Vault says no, the file is deleted. To ask at once:

  certsync credential --owner=prod-eu --user=alice@example.com --refresh

Exit codes: 0 done; 1 an error; 80 usage; 130 interrupted.`
}

// Validate is called by kong after parsing.
func (c credentialCmd) Validate() error { return c.validate() }

// execInfo is the variable in which kubectl tells its plugins what it understands.
const execInfo = "KUBERNETES_EXEC_INFO"

// Run prints an ExecCredential.
func (c credentialCmd) Run(ctx context.Context, p program) error {
	if err := kubeconfig.CheckExecInfo(os.Getenv(execInfo)); err != nil {
		return err
	}
	place, err := c.options(c.Owner).Place(c.User)
	if err != nil {
		return err
	}
	cache, err := openCredentialCache(place)
	p.notKept(err)
	defer cache.close()
	s := credentialSource{
		user: c.User, refresh: c.Refresh, cache: cache, now: time.Now, program: p,
		fetch: func(ctx context.Context, patience time.Duration) (vaultstore.Stored, error) {
			return c.fetch(ctx, p, patience)
		},
		complete: func(kept reconcile.Credential) (reconcile.Credential, error) {
			return c.complete(c.User, kept)
		},
	}
	h, err := s.obtain(ctx)
	if err != nil {
		return err
	}
	whole, err := s.complete(h.Credential)
	if err != nil {
		return err
	}
	out, err := kubeconfig.ExecCredential(whole.Certificate, whole.Key, h.askAgain(s.now()))
	if err != nil {
		return err
	}
	return writeAll(p.stdout, out.Reveal())
}

// notKept says that there is no cache to keep a credential in, which is no failure.
func (p program) notKept(err error) {
	if err != nil {
		p.complain(reconcile.WithHint(fmt.Errorf("keeping the credential in the cache: %w", err),
			"it works without, but every command asks Vault, and needs it"))
	}
}

// credentialSource gets a user's credential from the cache or from Vault.
type credentialSource struct {
	user    string
	refresh bool
	cache   *credentialCache
	fetch   func(ctx context.Context, patience time.Duration) (vaultstore.Stored, error)
	// complete adds a key that Vault does not have, and never gets into the cache.
	complete func(reconcile.Credential) (reconcile.Credential, error)
	now      func() time.Time
	program  program
}

// obtain returns a credential that lives.
func (s credentialSource) obtain(ctx context.Context) (*heldCredential, error) {
	h := s.held()
	switch h.before(s.now(), s.refresh) {
	case use:
		return h, nil
	case makeDo:
		return s.makeDo(h), nil
	}
	patience := patience
	if h.live(s.now()) && !s.refresh {
		patience = inAHurry
	}
	stored, err := s.fetch(ctx, patience)
	if err == nil {
		return s.take(h, stored)
	}
	if again := s.held(); again != nil && (h == nil || again.fetchedAt.After(h.fetchedAt)) {
		h = again // another plugin had more luck meanwhile
	}
	switch h.after(err, s.now(), s.refresh) {
	case makeDo:
		s.program.complain(err)
		h.failedAt = s.now()
		s.keep(h)
		return s.makeDo(h), nil
	case forget:
		if left := s.cache.remove(); left != nil {
			err = fmt.Errorf("%w; and deleting what is in the cache: %w", err, left)
		}
	}
	return nil, err
}

// held returns what is in the cache and goes with the key that there is, or nil.
func (s credentialSource) held() *heldCredential {
	h := s.cache.read(s.user)
	if h == nil {
		return nil
	}
	if _, err := s.complete(h.Credential); err != nil {
		return nil // as for the key of an earlier request; Vault may have the certificate for this one
	}
	return h
}

// take checks what Vault gave, chooses between that and what is in the cache (nil: nothing), and keeps it.
func (s credentialSource) take(old *heldCredential, stored vaultstore.Stored) (*heldCredential, error) {
	now := s.now()
	h := &heldCredential{version: stored.Version, fetchedAt: now}
	h.Certificate, h.Key = stored.Certificate, stored.Key
	var err error
	if h.until, err = h.Usable(s.user); err != nil {
		return nil, err
	}
	if !h.live(now) {
		return nil, reconcile.WithHint(fmt.Errorf("reading the credential of %q: its certificate has ended at %s", s.user, clock(h.until)),
			"tell whoever runs certsync: it should have been renewed by certsync apply; or set this machine's clock")
	}
	if !s.refresh && old.goesOn(h, now) {
		h = &heldCredential{Credential: old.Credential, version: old.version, until: old.until, fetchedAt: now}
	}
	s.keep(h)
	return h, nil
}

func (s credentialSource) keep(h *heldCredential) { s.program.notKept(s.cache.write(h)) }

// makeDo says what is used in place of what Vault would give, and until when.
func (s credentialSource) makeDo(h *heldCredential) *heldCredential {
	fmt.Fprintf(s.program.stderr, "certsync: Vault could not be reached: the credential that it gave at %s is used, until its certificate ends at %s\n",
		clock(h.fetchedAt), clock(h.until))
	return h
}

// clock is how people are told a time.
func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
