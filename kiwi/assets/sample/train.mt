Der Tisch in der dritten Säule ist nach Datum sortiert .
Die Fluggesellschaft erwartet trotz hoher Treibstoffkosten Rekordgewinne .
Der Umtausch muss innerhalb von 14 Tagen nach dem Kauf erfolgen .
Unser Lieblingscafé ist an der Ecke der Mühle Straße .
Das Dessert auf der Speisekarte klang besser , als es schmeckte .
Der Laden akzeptiert nur Bargeld und gibt keine Änderung für große Notizen .
Der Bluttest zeigte , dass er hat zu wenig Eisen .
Wer ließ das Licht in dem Badezimmer ?
Leider , die Jacke passt nicht und ich möchte zurückgeben es .
Alle Mitarbeiter müssen ihr Passwort alle sechs Monate ändern .
Der Ton ist verzerrt , wenn ich die Lautstärke aufdrehe .
Könnten wir die Gesetzentwurf haben , bitte ?
Um wie viel Uhr beginnt heute Abend der Film ?
Der Akku kann in etwa neunzig Minuten geladen werden .
Wenn Sie Ihr Passwort vergessen , klicken Sie auf den Link unten .
Der Chef erzählte den Gästen , dass der Fisch war aus Konstanzsee und dass das Gemüse auch kam aus seinem eigenen Garten .
Ich habe Ihre Frage an unsere Rechtsabteilung weitergeleitet .
Der Arzt konnte die Ursache der Schmerzen finden .
Wir erhielten mehr als 200 Antworten auf unsere Anzeige .
Unser neues Sofa passt nicht durch die Tür .
Nehmen Sie die zweite Ausfahrt an dem Kreisverkehr .
Das Kabel ist zu kurz , um die Steckdose zu erreichen .
Meine Eltern haben seit dreißig Jahren verheiratet .
Es ist hier zu dunkel zum Lesen .
Der Zeuge konnte sich erinnern an die Farbe des Autos .
Morgen wird es sonnig , aber am Abend kann es regnen .
Die Flugbegleiterin bat uns , die Tische wegzuräumen .
Der Fluss stieg über Nacht um fast zwei Meter .
Der Trainer lobte seine Mannschaft nach dem knappen Sieg .
Das neue Gesetz macht es einfacher für die Mieter , die Rente zu senken .
Die Zahl der Besucher sank von 900 auf 560 .
Das Meeting wurde von Dienstag auf Dienstag Nachmittag verschoben .
Lagern Sie die Flasche im Kühlschrank und verwenden Sie sie innerhalb vier Wochen .
Sie erhalten eine refund , wenn die Reise abgesagt wird .
Ich schreibe Ihnen , weil meine Bestellung noch nicht ist .
Beide Kinder hatten im Frühling Windpocken .
Verwenden Sie das Ladegerät nicht , wenn der Stecker beschädigt ist .
Das Wetter in den Bergen kann sich sehr schnell ändern .
Fügen Sie Salz und Pfeffer und rühren Sie die Soße langsam um .
Der Bürgermeister aus Cologne versprach mehr Geld für das Theater .
Ziehen Sie die Datei in den folder auf Ihrem Desktop .
Mehr als 3,000 Menschen nahmen Teil in dem März .
Halten Sie die Fernbedienung von direktem Sonnenlicht fern .
Ihr Konto wurde nach drei gescheiterten Versuchen gesperrt .
Sie können Ihr Abonnement jederzeit frei von Ladung kündigen .
Bitte unterschreiben Sie den Buchstaben und senden Sie ihn per Post .
Unser Support-Team ruft Sie innerhalb einer Stunde zurück .
Die Druckertinte wurde an die falsche Abteilung geliefert .
Das Pflaster muss einmal am Tag gewechselt werden .
Sie können während der Untersuchung einen Druck spüren , aber keinen Schmerz .
Nehmen Sie zweimal am Tag eine Tablett mit einem Glas Wasser .
Klappen Sie den Griff nach unten und schieben Sie die Schublade zurück .
Mir wurde aktuell ein Rabatt von zwanzig Prozent .
Das Orchester spielt zum ersten Mal in Salzburg .
Das Museum ist an Montagen und an Feiertagen geschlossen .
Das Brett beschloss , das Warenhaus in Köln zu schließen .
Ich werde dich am Bahnhof bei einem Viertel nach sechs .
In der Dunkel ich zog an zwei verschiedene Socken .
Die alte Uhr stoppt , wenn der Frühling nicht gewunden ist .
Der Vertrag kann mit drei Monaten Frist gekündigt werden .
Die Deadline für alle Anwendungen ist das Ende vom März .
Kontaktieren Sie sofort einen Arzt , wenn das Fieber geht nicht runter .
Der Prozess gegen den ehemaligen Manager beginnt im Januar .
Alle Fotos werden automatisch gespeichert in einem separaten folder .
Seit der Unfall sie kann ihren linken Arm nicht .
Ersetzen Sie die Glühbirne nur durch eine desselben Typs .
Sein Bruder ist eine Krankenschwester an dem Kinderkrankenhaus .
Brechen Sie die Behandlung nicht ohne zu fragen Ihr Arzt .
Der Umsatz stieg um 4,5 Prozent im Vergleich zum Vorjahr .
Ziehen Sie alle Schrauben von Hand an , bevor Sie den Schlüssel benutzen .
Bitte lassen Sie die Tasten an dem Frontschreibtisch , wenn Sie auschecken .
Der Museumsladen verkauft Postkarten , Poster und Bücher .
Die meisten Wähler glauben nicht die Versprechen des Präsident .
Meine Schwester ist gegen Katzen allergisch , aber sie liebt Hunde .
Ich mag diese Tapete überhaupt nicht .
Ich hoffe , dass es Ihnen und Ihrer Familie gut geht .
Wischen Sie die Linse mit einem trockenen und weichen Kleidung .
Der Zahnarzt entfernte zwei meiner Weisheit Zähne .
Ihr Passwort muss mindestens acht Charaktere und eine Zahl .
Der Minister bestritt , dass er gewusst hatte über die Zahlungen .
Sie brauchen drei Eier , 200 Gramm Mehl und eine Prise Salz .
Die Überfahrt dauert etwa vierzehn Minuten und kostet 12.50 Euro .
Die Fabrik des Sofas ist leicht zu reinigen .
Der Champion verlor den ersten Satz , gewann aber das Spiel .
Der Präsident wird im Mai Polen und die baltischen Staaten besuchen .
Der Schneider braucht mehr Fabrik für die Vorhänge .
Es dauerte eine Weile , das richtige Formular zu finden .
Kinder unter zwölf Jahren müssen nicht dieses Arzneimittel nehmen .
Der Kellner empfahl einen trockenen Weißwein aus die Region .
Das leaflet listet alle bekannten Nebenwirkungen der Droge auf .
Der Ball flog über den Zaun in der Garten von Herr Jung .
Der Arzt schrieb mir eine Vorschrift für stärkere Augentropfen .
Der Schnitt ist nicht tief und muss nicht genäht werden .
Annas Flug hat Verspätung , also fangen wir ohne sie an .
Schalten Sie den Herd aus , bevor Sie das Haus verlassen .
Unsere Katze spendet den ganzen Tag auf dem Fensterbrett .
Wir werden eine volle refund innerhalb von zehn Arbeitstagen ausstellen .
Sie spendete zwei Stunden an dem Telefon mit dem Kundenservice .
Der Verdächtige wurde am Donnerstag aus Mangel an Beweisen freigelassen .
Die Betriebstemperatur liegt zwischen 5 und 53 Grad .
Er bekam sehr wütend , als er sah die Rechnung .
Der Lüfter macht ein lautes Geräusch , wenn der Laptop heiß wird .
Der Impfstoff wird in den oberen Arm injiziert .
Er reparierte das Dach selbst und rettete viel Geld .
Das Unternehmen wollte den Bericht kommentieren .
Das neue Modell ist leichter und verbraucht weniger Macht .
In Sommer das Restaurant hat also Tische in dem Yard .
Der letzte Bus zurück ins Dorf verlässt um acht .
Es hat seit sechs Wochen in dem Tal nicht geregnet .
Die warranty deckt nicht Schäden ab , die durch unsachgemäßem Gebrauch verursacht wurden .
Das Hotel bietet jeden Morgen einen kostenlosen Shuttle zum Strand .
Bringen Sie warme Stoffe , denn die Nächte sind kalt .
Wir würden Ihnen gern unser neues Büro zeigen .
Das rote Licht bedeutet , dass der Filter sollte ersetzt werden .
Die Altstadt erkundet man am besten zu Fuß .
Backen Sie den Kuchen bei 180 Grad für etwa vierzehn Minuten .
Die Feier verlor mehr als die Hälfte ihrer Sitze in Parlament .
Das Unternehmen stimmte eventuell zu , den vollen Betrag zu bezahlen .
Der Virenscanner löschte zwei harmlose Feilen durch Fehler .
Der Wetterdienst erwartet heute Abend starken Wind an der Küste .
Bewahren Sie dieses Arzneimittel für Kinder unzugänglich auf .
Der Bericht wurde veröffentlicht , obwohl das Ministerium hatte gewarnt dagegen .
Könnten Sie den Termin bitte bis Freitag bestätigen ?
Das Komitee wird die Rechnung im Herbst erneut diskutieren .
Experten warnen , dass der Gletscher innerhalb von zwanzig Jahren verschwinden könnte .
Der Ausblick vom Turm war jede Stufe wert .
Die Symptome bessern sich in der Regel nach zwei oder drei Tagen .
Die Zug schedule ändert sich am zweiten Sonntag im Dezember .
Der Preis der Tickets wird um fünfzig Prozent sein gesenkt .
Sie finden die Seriennummer auf der Unterseite des Gerät .
Die Pension hat nur sechs Zimmer und einen kleinen Garten .
Mein Mann möchte sein Steak gut getan .
Vielen Dank für Ihre schnelle Antwort .
Der Trainer zum Flughafen stoppt vor dem Hotel .
Die Lampe fiel vom Tisch und zerbrach .
Die Nachbarn waren so laut , dass ich konnte nicht schlafen .
Die Schlüsselkarte öffnet die vordere Tür und die Garage .
Er bat um ein höheres Gehalt und war gegeben ein neuer Titel .
Die Salbe half ihm sehr , aber sie riecht furchtbar .
Der Film basiert auf einer wahren Geschichte .
Das Team wird ohne seinen besten Spieler nach Madrid reisen .
Wir haben mehrere Käfer in Version 3.2 der App repariert .
Ich habe noch nie so einen großen Kürbis gesehen .
Laufen Sie das Programm wieder als an Administrator .
Das Angebot ist bis zum 13. September gültig und kann nicht kombiniert werden .
Öffnen Sie den folder und kopieren Sie alle Dateien auf die externe Fahrt .
Wir wohnen seit 2015 in dieser Wohnung .
Bitte starten Sie die Bewerbung neu , nachdem Sie haben die settings geändert .
Verbinden Sie das blaue Kabel mit dem linke Hafen .
Wenn Sie möchten , können wir das Buch als Gift verpacken .
Dieses Arzneimittel enthält Laktose und Spuren von Soja .
Nach das update , die Tastenkombination funktioniert nicht mehr .
Bitte senden Sie uns ein Bild der Fehlermeldung .
Das Leitungswasser in den Berghütten ist nicht sicher zu trinken .
Meine Großmutter , die im März neunzig wurde , geht noch immer jeden Morgen mit dem Hund ihrer Nachbarin spazieren .
Das Warenhaus brannte innerhalb einer Stunde vollständig .
Diese Einstellung rettet Macht , wenn das Notebook nicht in Gebrauch ist .
Wenn Sie bereits zu viele Tabletten genommen haben , rufen Sie sofort Ihr Arzt an und bitte nehmen Sie das leaflet mit Ihnen .
Wo kann ich die aktuelle Version des Fahrers herunterladen ?
Der Parteichef trat nach nur acht Wochen im Büro zurück .
Die Kinder dürfen in dem pool nur mit einem Erwachsenen schwimmen .
Sehr selten kann die Haut rot und juckend bekommen .
Menschen mit Asthma sollten kalte und staubige Luft vermeiden .
Glücklicherweise der Sturm war vorbei , bevor wir das Zelt .
Klicken Sie die checkbox , wenn Sie unseren Newsletter erhalten möchten .
Setzen Sie die Batterie mit dem Pluszeichen nach oben .
Die Brücke wurde aus Sicherheitsgründen für den Verkehr gesperrt .
Für die Grippeimpfung brauchen Sie keinen Termin .
Reinigen Sie die Oberfläche niemals mit heißem Wasser oder scharfen Gegenständen .
Passagiere mit kleinen Kindern dürfen zuerst an Bord .
Sie können die Tisch als eine separate Feile retten , aber die settings der Säulen werden verloren .
Die Bank erhöhte ihre Zinsen zum dritten Mal in diesem Jahr .
Zu viel Sonne kann die Haut von kleiner Kindern schaden .
Der Alarm kann nur mit dem kleinen Schlüssel ausgeschaltet werden .
Das Mikrofon funktioniert , wenn das Headset eingesteckt ist .
Sie zogen wegen der Kinder auf das Land .
Zwei Fenster waren offen , und ich schloss das falsche eine .
Der Touchscreen reagiert nicht , wenn meine Finger nass sind .
Drücken Sie die Watte eine Minute lang fest auf Ihren Arm .
Lassen Sie den Teig für eine Stunde in einem warmen Platz Rest .
Mein Bruder fand eventuell einen Job in einer Bäckerei .
Herr Grün verlor seine Brieftasche auf dem Weg zum Hafen .
Jeder dritte Haushalt in der Region heizt mit Holz .
Wir würden einen Tisch an dem Fenster .
Die Praxis ist im August für zwei Wochen geschlossen .
Ein Tippfehler in der Adresse verursachte die Verzögerung .
Lassen Sie mindestens zehn Zentimeter zwischen dem Kühlschrank und der Wand .
Der Griff der alten Pfanne ist lose .
Herr Zimmermann wurde mit großer Mehrheit zum Vorsitzenden gewählt .
Das Baby weint , seit wir nach Hause gekommen .
Laut der Polizei wurde niemand bei dem Unfall verletzt .
Trocknen Sie den Salat gut , bevor Sie das Dressing hinzufügen .
Der Dieb wurde gefangen , weil er sein Telefon hatte links hinter .
Wegen einer beschädigten Stromleitung hatten alle Züge zwischen Göttingen und Kassel mindestens vierzig Minuten Verspätung .
Das Konzert wurde abgesagt , weil die Sängerin ihre Stimme verloren .
Der Lehrer bat die Schüler , einen Brief an einen Freund zu schreiben .
Die gemeinsamsten Nebenwirkungen sind Kopfschmerzen und Müdigkeit .
Der neue Kollege fängt am ersten Juni an .
Die Nachricht „ Kein Signal “ erscheint auf dem Schirm , wenn das Kabel zwischen der Box und das Fernsehen .
Halten Sie den Inhalator mit Ihnen und leihen Sie ihn nicht zu andere .
Die Bauern erwarten nach dem trockenen Sommer eine schlechte Ernte .
Das schedule für nächste Woche ist dieser E-Mail beigefügt .
Die Milch riecht sauer , also ich werde gießen sie weg .
Der brave Feuerwehrmann trug den Touristen den Berg hinunter .
Bitte informieren Sie den Vermieter schriftlich , wenn die Rente reduziert ist .
Diese Droge kann Ihre Fähigkeit zu fahren beeinflussen .
Wir möchten für das ganze Wochenende ein Auto rent .
Bitte halten Sie Ihren Sitz Gürtel befestigt während des Sitzens .
Oma versteckte immer ein Gift für uns unter dem Kissen .
Das Schloss wurde im zwölften Jahrhundert gebaut .
Der Gewinner des Rennens kommt aus ein kleinen Dorf in Kenia .
Die Rechnung vom Zahnarzt war höher als erwartet .
Wir spendeten drei Wochen auf einer Farm nahe Konstanzsee .
Die Rosen duften nach dem Regen herrlich .
Wer ist heute mit dem Abwaschen dran ?
Sie können das Krankenhaus verlassen , sobald die Testergebnisse fertig sind .
Anbei finden Sie die Rechnung für den letzter Monat .
Als wir spät am Abend im Hotel angekommen sind an , der Frontschreibtisch war geschlossen und niemand antwortete das Telefon .
Bitte schalten Sie den Drucker aus , bevor Sie das Papierfach öffnen .
Unser Chef gewann letztes Jahr einen Preis für seine Fischsuppe .
„ Wir hatten noch nie so viele Besucher in einem Sommer “ , sagte Jürgen Müller , der den Campingplatz betreibt .
Nach der Operation durfte er zwei Tage nicht aufstehen .
Das update wurde installiert , aber der Computer wurde nicht neu gestartet .
Sie können das Backup also laufen bei Nacht .
Wissenschaftler haben in Brasilien eine neue Froschart entdeckt .
Waschen Sie sich mindestens zwanzig Sekunden lang die Hände .
Die Nachtschwester checkt auf die geduldigen alle zwei Stunden .
Schütteln Sie die Flasche vor jeder Gebrauch .
Die Preise für Brot und Milch sind diesen Monat wieder gestiegen .
Ihr Paket wird morgen zwischen neun und Mittag geliefert .
Er bekam eventuell ein berühmter Herzchirurg .
Niemand sagte mir , dass das Training abgesagt .
Ich buchte ein Doppelzimmer mit Blick auf das Meer .
Wählen Sie einen ruhigen Ort und kalibrieren Sie den Sensor erneut .
Der Absender hat nicht keinen Stempel auf den Brief gesetzt .
Das Tor wird fünfzehn Minuten nach Abflug schließen .
Der Download dauert etwa fünf Minuten auf einer fast Verbindung .
Ich habe die Rechnung bereits zweimal per Banküberweisung .
Bitte antworten Sie nicht auf diese automatische Nachricht .
Ziehen Sie den Router , warten Sie dreizehn Sekunden und stecken Sie ihn wieder ein .
Bitte vergiss nicht , auf dem Weg nach Hause Milch zu kaufen .
Die Trommel sollte sich frei drehen , sobald der Gürtel entfernt wurde .
Bitte fügen Sie die zwei fehlenden Namen zu der Liste hinzu .
Eine Sprecherin sagte , dass die Daten sicher seien .
Die Krankenschwester maß vor dem Frühstück meinen Blutdruck .
Es gibt ein Loch in der Tasche von mein Mantel .
Die Waren wurden beschädigt , weil die Box war zu dünn .
Wenn der Bildschirm schwarz bleibt , prüfen Sie zuerst das Netzkabel .
Nehmen Sie diese Droge nicht , wenn Sie schwanger sind .
Unser Gepäck wurde statt nach Mailand nach München gesendet .
Wir entschuldigen uns für die Verspätung und alle Unannehmlichkeiten .
Geben Sie den Code , den wir an Ihr Telefon gesendet haben .
Die Krankenversicherung deckt nicht die Kosten der Gläser .
Die Opposition rief den Plan teuer und unfair .
Dieser Fehler tritt normalerweise auf , wenn die Fahrt fast voll ist .
Die Farbe muss über Nacht trocknen , bevor Sie das Brett schleifen .
Wir kauften auf dem Markt Brot , Käse und Oliven .
Wir verpassten unseren Anschluss , weil der erste Flug Verspätung hatte .
Die Abteilung spendet zu viel Geld auf Papier .
Die Stadt hat die alte Mühle gekauft und will sie restaurieren .
Drücken Sie die Escape Schlüssel , um die Speisekarte zu verlassen .
Legen Sie sich auf den Rücken und atmen Sie ruhig .
Wir brauchen zwei weitere Kopien des unterschriebenen Vertrag .
Fragen Sie Ihren Arzt oder Apotheker , wenn Sie sich nicht sicher sind .
Das gestohlene Auto wurde in einem Wald in der Nähe von Leipzig gefunden .
Die Grenze wird für Lastwagen offen bleiben .
Er hörte die Klingel , weil das Radio war .
Der alte Dampfzug läuft durch das Tal an Sonntagen .
Das Interview dauerte länger als erwartet , aber es ging gut .
Wir bestellten fünfzig Stühle , aber nur fünf wurden geliefert .
Der Weg durch die Schlucht ist nach starkem Regen gesperrt .
Der Schauspieler wurde in Irland geboren , wuchs aber in Kanada auf .
Sie müssen für das return shipping nicht zu bezahlen .
Vergewissern Sie sich , dass das Gerät mit dem Stromnetz verbunden ist .
Die neuen Züge sind schneller und also leiser .
Bitte retten Sie mir einen Sitz in der vorderen Reihe .
Der Verteidiger verletzte sich am Knie und wird das Finale vermissen .
Die Kinder sind alt genug , um allein zur Schule zu gehen .
Berühren Sie das Brett nicht , bevor der aktuelle ausgeschaltet ist .
Die beiden Länder unterzeichneten eine Vereinbarung über Angeln Rechte .
Unser Reiseführer erzählte uns die Geschichte der alten Brücke .
Maria hat ihren Regenschirm wieder im Bus vergessen .
Der Physiker erklärte die Ergebnisse in einfachen Wörtern .
Regelmäßige Bewegung hilft vielen Menschen , besser zu schlafen .
Schälen Sie die Kartoffeln und schneiden Sie sie in dünne Scheiben .
Drücken Sie den grünen Schlüssel , um die neuen settings zu retten .
Ich habe den Schlüssel zum Gartenschuppen verloren .
Der Zug nach Venedig verlässt von Plattform sieben .
Die Abstimmung wurde verschoben , weil zu wenige Mitglieder waren Geschenk .
Die Heizung funktioniert nicht und wir frieren .
Der Bürgermeister eröffnete am Samstag die neue Bibliothek .
Geldautomaten laden auf zu fünf Euro für ausländische Karten .
Sie also spricht ein kleines Italienisch .
Nach einer langen Wanderung erreichten wir endlich das Dorf .
Die Feuerwehr brauchte sechs Stunden , um das Feuer unter Kontrolle zu bringen .
Er wollte aktuell ein Physiker werden , aber er spendete eventuell sein ganzes Leben auf der Insel als ein Fischer .
Ich bin gegen Nüsse und Schalentiere allergisch .
Das Hotel ist nicht weit vom Bahnhof , aber es ist .
Sie können die Sprache jederzeit in den settings ändern .
Niemand an dem Frontschreibtisch sprach Englisch oder Französisch .
Der Ölpreis fiel am Freitag unter siebzehn Dollar .
Das neue Stadion sitzt 45,000 Fans und kostet 180 Milliarden Euro .
Die Feile konnte nicht auf dieser Fahrt gefunden werden .
Ich bin müde , weil ich um fünf aufgestanden bin .
Der Streik könnte bis zum Ende der Woche dauern .
Jeder Gast darf einen Koffer und eine kleine Tasche mitnehmen .
Die refund wurde an das falsche Konto gesendet .
Frauen über fünfzehn werden zu einer kostenlosen Untersuchung eingeladen .
Wie lange braucht der Bus bis in die Stadtzentrum ?
Mein Großvater baute diesen Stuhl mit seinen eigenen Händen .
Meine Tochter will lernen , Geige zu spielen .
Mein Onkel repariert alte Radios und gibt sie zu seine Nachbarn .
Alle Zimmer haben einen Haartrockner , einen Safe und eine Minibar .
Frau Schäfer wird Ihnen das Warenhaus zuerst zeigen , und und nach Mittagessen Sie werden treffen den Rest des Teams .
Der Techniker ersetzte das Hauptbrett und getestet alle Häfen .
Die Gespräche zwischen den Gewerkschaften und der Bahn sind erneut gescheitert .
Es ist billiger , mit dem Zug zu reisen , als zu fliegen .
Die Autorin spendete zehn Jahre arbeitend an ihrem ersten Roman .
Ein kurzer Klick bedeutet , dass das das Schloss geschlossen ist .
Entfernen Sie die hintere Abdeckung des Fall mit einem kleinen Schraubendreher .
