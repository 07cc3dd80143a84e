package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/vault/api"
)

// certsyncProgram names the real one to the stand-in.
const certsyncProgram = "TEST_CERTSYNC"

// released is the program in the release.
//
// TODO with `certsync kubeconfig` and `plan -o markdown`: return certsync, and delete the rest of this file and its line in
// standIns.
func released(t testing.TB) string { return testBinary(t) }

// notYet is certsync, with what it does not know yet.
func notYet(args []string) error {
	if err := tryNotYet(args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return nil
}

func tryNotYet(args []string) error {
	program := os.Getenv(certsyncProgram)
	switch {
	case args[0] == "kubeconfig":
		return printKubeconfig(args[1:])
	case slices.Equal(args, []string{"plan", "-o", "markdown"}):
		var out bytes.Buffer
		cmd := exec.Command(program, "plan")
		cmd.Stdout, cmd.Stderr = &out, os.Stderr
		if err := cmd.Run(); err != nil {
			return err
		}
		owner, _, _ := strings.Cut(strings.TrimPrefix(out.String(), "Plan for "), ":")
		fmt.Printf("<!-- certsync plan: %s -->\n```\n%s```\n", owner, out.String())
		if _, digest, changes := strings.Cut(out.String(), "\nDigest: "); changes {
			fmt.Printf("```sh\ncertsync apply --expect %s```\n", digest)
		}
		return nil
	}
	return syscall.Exec(program, append([]string{"certsync"}, args...), os.Environ())
}

// printKubeconfig takes --owner, --user and, unless the environment has it, --vault-token-file.
func printKubeconfig(args []string) error {
	flags := map[string]string{"--vault-token-file": os.Getenv("CERTSYNC_VAULT_TOKEN_FILE")}
	for i := 0; i+1 < len(args); i += 2 {
		flags[args[i]] = args[i+1]
	}
	jwt, err := os.ReadFile(flags["--vault-token-file"])
	if err != nil {
		return err
	}
	client, err := api.NewClient(nil)
	if err != nil {
		return err
	}
	client.ClearToken()
	login, err := client.Logical().Write("auth/"+os.Getenv("CERTSYNC_VAULT_AUTH_MOUNT")+"/login", map[string]any{
		"role": os.Getenv("CERTSYNC_VAULT_ROLE"), "jwt": strings.TrimSpace(string(jwt)),
	})
	if err != nil {
		return err
	}
	client.SetToken(login.Auth.ClientToken)
	secret, err := client.KVv2("secret").Get(context.Background(), "certsync/"+flags["--owner"]+"/users/"+flags["--user"])
	if err == nil {
		_, err = fmt.Print(secret.Data["kubeconfig"])
	}
	return errors.Join(err, client.Auth().Token().RevokeSelf(""))
}
