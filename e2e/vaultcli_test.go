package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"
)

// vaultCLI is as much of the vault CLI as the README and certsync's scripts use, for machines without it:
//
//	vault kv get -field=NAME PATH
//	vault policy write NAME -
//	vault write PATH -
//	vault auth enable -path=PATH METHOD
//	vault login -method=METHOD, which does nothing: the environment has a token
//	vault kv list PATH
//	vault kv metadata delete PATH
//	vault policy delete NAME
//	vault delete PATH
//
// Those with a - read standard input.
func vaultCLI(args []string) error {
	client, err := api.NewClient(nil) // from the environment
	if err != nil {
		return err
	}
	switch {
	case len(args) == 2 && args[0] == "login":
		return nil
	case len(args) == 4 && slices.Equal(args[:2], []string{"kv", "get"}):
		mount, path, _ := strings.Cut(args[3], "/")
		secret, err := client.KVv2(mount).Get(context.Background(), path)
		if err != nil {
			return err
		}
		_, err = fmt.Print(secret.Data[strings.TrimPrefix(args[2], "-field=")])
		return err
	case len(args) == 4 && slices.Equal(args[:2], []string{"policy", "write"}) && args[3] == "-":
		rules, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		return client.Sys().PutPolicy(args[2], string(rules))
	case len(args) == 4 && slices.Equal(args[:2], []string{"auth", "enable"}):
		return client.Sys().EnableAuthWithOptions(strings.TrimPrefix(args[2], "-path="), &api.EnableAuthOptions{Type: args[3]})
	case len(args) == 3 && args[0] == "write" && args[2] == "-":
		var data map[string]any
		if err := json.NewDecoder(os.Stdin).Decode(&data); err != nil {
			return err
		}
		_, err := client.Logical().Write(args[1], data)
		return err
	}
	if done, err := vaultDelete(client, args); done {
		return err
	}
	return errors.New("usage: vault kv get -field=NAME PATH, vault policy write NAME -, vault write PATH -, vault auth enable -path=PATH METHOD, vault login -method=METHOD")
}

// vaultDelete is the part of vaultCLI that deletes, and lists what to delete.
func vaultDelete(client *api.Client, args []string) (done bool, err error) {
	words := strings.Join(args[:len(args)-1], " ")
	last := args[len(args)-1]
	mount, path, _ := strings.Cut(last, "/")
	switch words {
	case "kv list":
		found, err := client.Logical().List(mount + "/metadata/" + path)
		if err != nil || found == nil {
			return true, cmp.Or(err, errors.New("No value found at "+last))
		}
		fmt.Println("Keys\n----")
		for _, key := range found.Data["keys"].([]any) {
			fmt.Println(key)
		}
		return true, nil
	case "kv metadata delete":
		return true, client.KVv2(mount).DeleteMetadata(context.Background(), path)
	case "policy delete":
		return true, client.Sys().DeletePolicy(last)
	case "delete":
		_, err := client.Logical().Delete(last)
		return true, err
	}
	return false, nil
}
