package contract

// inputRules are the family API, documents that cannot be understood.
var inputRules = []Rule{
	{ID: "API-1", Severity: Input, Unwaivable: true, Title: "The claim can be read", Promise: "A claim is understood completely or refused.",
		Why:       "A misspelt field that is silently ignored is a protection that was never on.",
		Fix:       "Correct the field the message names.",
		Reference: "https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation"},
	{ID: "API-2", Severity: Input, Unwaivable: true, Title: "The policy can be read", Promise: "A policy is understood completely or refused.",
		Why:       "Crossplane neither validates nor defaults a function's input.",
		Fix:       "Correct the field the message names.",
		Reference: xpDocs + "composition/compositions/"},
}
