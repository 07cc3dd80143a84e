package invocation

import "testing"

// TestName: kubectl's name for the binary makes it the plugin, in any folder.
func TestName(t *testing.T) {
	for process, want := range map[string]string{
		"kubectl-certsync": "kubectl certsync", "/opt/bin/kubectl-certsync": "kubectl certsync", "kubectl-certsync.exe": "kubectl certsync",
		"certsync": "certsync", "/usr/bin/certsync": "certsync", "kubectl-certsync-2": "certsync",
	} {
		if got := Name(process); got != want {
			t.Errorf("%q is started as %q, want %q", process, got, want)
		}
	}
}
