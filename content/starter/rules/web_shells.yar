// Web shells in PHP, JSP, Python and Perl.

rule Webshell_PHP_Eval_Request {
    meta:
        author = "Ringfence authors"
        description = "PHP that hands a request's parameter straight to an evaluator or a shell"
        severity = "critical"
        action = "block"
        technique = "T1505.003"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        licence = "Apache-2.0"
    strings:
        $tag = "<?"
        $call = /\b(eval|assert|system|passthru|shell_exec|popen|proc_open|pcntl_exec)\s{0,8}\(\s{0,8}@?(base64_decode\s{0,8}\(\s{0,8}|stripslashes\s{0,8}\(\s{0,8})?\$_(GET|POST|REQUEST|COOKIE)\s{0,8}\[/ nocase
    condition:
        filesize < 256KB and $tag and $call
}

rule Webshell_PHP_Packed_Eval {
    meta:
        author = "Ringfence authors"
        description = "PHP that unpacks and evaluates a hidden program"
        severity = "high"
        action = "alert"
        technique = "T1505.003"
        reference = "https://attack.mitre.org/techniques/T1027/"
        licence = "Apache-2.0"
    strings:
        $tag = "<?php" nocase
        $call = /\b(eval|assert)\s{0,8}\(\s{0,8}@?(gzinflate|gzuncompress|gzdecode|str_rot13|base64_decode)\s{0,8}\(\s{0,8}(base64_decode|str_rot13|strrev|gzinflate|convert_uudecode)\s{0,8}\(/ nocase
    condition:
        filesize < 1MB and $tag and $call
}

rule Webshell_PHP_Replace_Eval {
    meta:
        author = "Ringfence authors"
        description = "PHP whose preg_replace evaluates a request's parameter (modifier e)"
        severity = "critical"
        action = "block"
        technique = "T1505.003"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        licence = "Apache-2.0"
    strings:
        $call = /preg_replace\s{0,8}\(\s{0,8}["'](.)[^"']{0,64}\/[imsxADU]{0,6}e[imsxADU]{0,6}["']\s{0,8},\s{0,8}\$_(GET|POST|REQUEST|COOKIE)/ nocase
    condition:
        filesize < 256KB and $call
}

rule Webshell_PHP_Variable_Function {
    meta:
        author = "Ringfence authors"
        description = "PHP that calls a function named by one request parameter with another as its argument"
        severity = "critical"
        action = "block"
        technique = "T1505.003"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        licence = "Apache-2.0"
    strings:
        $call = /[;{}@\s]\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[[^\]\n]{1,40}\]\s{0,4}\(\s{0,4}\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[/
        $tag = "<?"
    condition:
        filesize < 256KB and all of them
}

rule Webshell_PHP_In_Picture {
    meta:
        author = "Ringfence authors"
        description = "PHP that runs request parameters, hidden in a picture"
        severity = "critical"
        action = "block"
        technique = "T1036.008"
        reference = "https://attack.mitre.org/techniques/T1036/008/"
        licence = "Apache-2.0"
    strings:
        $gif = "GIF8"
        $jpeg = { FF D8 FF }
        $png = { 89 50 4E 47 0D 0A 1A 0A }
        $tag = "<?php" nocase
        $call = /(eval|assert|system|passthru|shell_exec|exec)\s{0,8}\([^;\n]{0,40}\$_(GET|POST|REQUEST|COOKIE|SERVER)/ nocase
    condition:
        ($gif at 0 or $jpeg at 0 or $png at 0) and $tag and $call
}

rule Webshell_PHP_Toolkit {
    meta:
        author = "Ringfence authors"
        description = "Names that well-known PHP web shells print about themselves"
        severity = "high"
        action = "alert"
        technique = "T1505.003"
        reference = "https://github.com/tennc/webshell"
        licence = "Apache-2.0"
    strings:
        $tag = "<?php" nocase
        $a = "c99shell" nocase
        $b = "r57shell" nocase
        $c = "b374k" nocase
        $d = "FilesMan"
        $e = "p0wny@shell"
        $f = "WSOsetcookie"
        $g = "weevely" nocase
        $h = "Safe_Mode Bypass" nocase
        $i = "actSecInfo"
    condition:
        filesize < 2MB and $tag and (2 of ($a, $b, $c, $g, $h) or any of ($d, $e, $f, $i))
}

rule Webshell_JSP_Runtime_Exec {
    meta:
        author = "Ringfence authors"
        description = "JSP that runs a request's parameter as a command"
        severity = "critical"
        action = "block"
        technique = "T1505.003"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        licence = "Apache-2.0"
    strings:
        $tag = "<%"
        $call = /getRuntime\s{0,4}\(\s{0,4}\)\s{0,4}\.\s{0,4}exec\s{0,4}\([^;]{0,80}request\s{0,4}\.\s{0,4}getParameter\s{0,4}\(/
    condition:
        filesize < 512KB and $tag and $call
}

rule Webshell_JSP_Class_Loader {
    meta:
        author = "Ringfence authors"
        description = "JSP that decrypts and loads a class from the request's body"
        severity = "critical"
        action = "block"
        technique = "T1505.003"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        licence = "Apache-2.0"
    strings:
        $tag = "<%"
        $loader = "extends ClassLoader"
        $define = "defineClass("
        $cipher = "Cipher.getInstance("
        $body = /request\s{0,4}\.\s{0,4}(getReader|getInputStream)\s{0,4}\(/
    condition:
        filesize < 512KB and all of them
}

rule Webshell_JSP_Process_Output {
    meta:
        author = "Ringfence authors"
        description = "JSP that starts a process from a parameter and prints what it says"
        severity = "high"
        action = "alert"
        technique = "T1505.003"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        licence = "Apache-2.0"
    strings:
        $tag = "<%"
        $start = /new\s{1,4}ProcessBuilder\s{0,4}\(|getRuntime\s{0,4}\(\s{0,4}\)\s{0,4}\.\s{0,4}exec/
        $parameter = "request.getParameter("
        $output = ".getInputStream()"
        $shell = /"(\/bin\/(ba)?sh|cmd(\.exe)?)"/
    condition:
        filesize < 512KB and all of them
}

rule Webshell_Python_CGI {
    meta:
        author = "Ringfence authors"
        description = "Python CGI script that runs a form's field as a command"
        severity = "high"
        action = "alert"
        technique = "T1505.003"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        licence = "Apache-2.0"
    strings:
        $form = "cgi.FieldStorage("
        $run = /(os\.popen|os\.system|subprocess\.(Popen|check_output|getoutput|run)|commands\.getoutput)\s{0,4}\([^\n]{0,60}(form|getvalue|getfirst)/
    condition:
        uint16(0) == 0x2123 and filesize < 128KB and all of them
}

rule Webshell_Python_Web_Framework {
    meta:
        author = "Ringfence authors"
        description = "Python web handler that runs a request's parameter as a command"
        severity = "high"
        action = "alert"
        technique = "T1505.003"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        licence = "Apache-2.0"
    strings:
        $run = /(os\.popen|os\.system|subprocess\.(Popen|check_output|getoutput|run))\s{0,4}\(\s{0,4}(flask\.)?request\.(args|form|values|GET|POST|json|headers)\b/
    condition:
        filesize < 256KB and $run
}

rule Webshell_Perl_CGI {
    meta:
        author = "Ringfence authors"
        description = "Perl CGI script that runs a parameter as a command"
        severity = "high"
        action = "alert"
        technique = "T1505.003"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        licence = "Apache-2.0"
    strings:
        $perl = "perl"
        $header = "Content-type:" nocase
        $run = /(system|exec|open|qx)\s{0,4}[\({]?[^;\n]{0,30}(param\s{0,4}\(|\$ENV\{'?"?QUERY_STRING|\$in\{)/
    condition:
        uint16(0) == 0x2123 and filesize < 128KB and $perl in (2..40) and $header and $run
}
