// the rule stands in the other file
