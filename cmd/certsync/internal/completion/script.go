package completion

import _ "embed"

// The release archives hold the same files.
var (
	//go:embed certsync.bash
	bash string
	//go:embed certsync.zsh
	zsh string
	//go:embed certsync.fish
	fish string
)

// Script returns the script for a shell: bash, zsh or fish.
func Script(shell string) []byte {
	return []byte(map[string]string{"bash": bash, "zsh": zsh, "fish": fish}[shell])
}
