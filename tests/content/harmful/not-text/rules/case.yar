rule L { strings: $a = "éÿ" condition: $a }
