# bash completion for routeport-client and routeport-server
_routeport() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}

	COMPREPLY=()
	if [ "$COMP_CWORD" -gt 2 ]; then
		return
	fi
	case $before in
	--options)
		mapfile -t COMPREPLY < <(compgen -W 'include debug output log syslog service foreground pid status statusHost setuid setgid chroot sandbox workers maxConnections maxStreams TIMEOUTlinger windowBudget TIMEOUTdrain client accept connect failover logId local socket retry reset sni sniStrict cert key keyPassFile PSKsecrets PSKidentity CAfile CApath CAstore CRLfile CRLpath verifyChain verifyPeer verify requireCert checkHost checkIP checkEmail checkURI checkSubject checkFingerprint sslVersion sslVersionMin sslVersionMax ciphers ciphersuites curves curve securityLevel options config renegotiation fips OCSPaia OCSP OCSPrequire OCSPflag OCSPnonce TIMEOUTocsp sessionResume sessionCacheSize sessionCacheTimeout session ticketKeySecret ticketMacSecret protocol protocolVersion protocolHost protocolAuthentication protocolUsername protocolPassword protocolHeader multiplex carriers delay streamWindow freshFor maxAge keepalive keepaliveTimeout TIMEOUTconnect TIMEOUTbusy TIMEOUTidle TIMEOUTclose' -- "$word")
		return
		;;
	--check | --import) ;;
	-*) return ;;
	*)
		if [ "$COMP_CWORD" -gt 1 ]; then
			return
		fi
		if [[ $word == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W '--check --import --options --version --help' -- "$word")
			return
		fi
		;;
	esac
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen -d -- "$word"
		compgen -f -X '!*.ini' -- "$word"
		compgen -f -X '!*.conf' -- "$word")
}
complete -F _routeport routeport-client routeport-server
