package reconcile_test

import (
	"go/ast"
	"path/filepath"
	"slices"
	"testing"
)

// TestDocumented: every exported name of the program says what it is.
func TestDocumented(t *testing.T) {
	for dir := range arrows {
		documented := false
		for name, file := range goFiles(t, filepath.Join("..", dir)) {
			documented = documented || file.Doc != nil
			for _, decl := range file.Decls {
				for _, bare := range undocumented(decl) {
					t.Errorf("%s: %s has no comment", name, bare)
				}
			}
		}
		if !documented {
			t.Errorf("package %s has no comment", dir)
		}
	}
}

// undocumented lists the exported names of a declaration that have no comment. A group's comment is for all in it;
// Error, Unwrap and String are what they are everywhere.
func undocumented(decl ast.Decl) []string {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		universal := d.Recv != nil && slices.Contains([]string{"Error", "Unwrap", "String"}, d.Name.Name)
		if d.Name.IsExported() && receiverExported(d) && d.Doc == nil && !universal {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		var bare []string
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					bare = append(bare, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						bare = append(bare, name.Name)
					}
				}
			}
		}
		return bare
	}
	return nil
}

// receiverExported reports whether a method can be called from outside; a function always can.
func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	receiver := d.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if generic, ok := receiver.(*ast.IndexExpr); ok {
		receiver = generic.X
	}
	name, ok := receiver.(*ast.Ident)
	return ok && name.IsExported()
}
