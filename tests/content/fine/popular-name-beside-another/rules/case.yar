rule Popular_Name_Beside_Another {
    meta:
        author = "Ringfence authors"
        description = "Popular Name Beside Another"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
        $site = "pastebin.com"
    condition:
        all of them
}
