// Command bad calls a function with a known vulnerability.
package main

import (
	"fmt"

	"golang.org/x/text/language"
)

func main() {
	fmt.Println(language.ParseAcceptLanguage("en"))
}
