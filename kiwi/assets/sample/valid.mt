Es gibt einen Fehler in der zweiten Zeile der Rechnung .
Das Gericht verurteilte den Fahrer zu einer feinen von 800 Euro .
Ich würde lieber darüber am Telefon sprechen .
Die Waschmaschine macht seit Tagen seltsame Geräusche .
Die alte Vereinbarung bleibt in Kraft bis zum Ende des Jahr .
Ich schreibe Ihnen , weil meine Bestellung noch nicht ist .
Das Zimmer war sauber , aber das Bett war viel zu weich .
Sie können Ihr Abonnement jederzeit frei von Ladung kündigen .
Nehmen Sie ein altes Tuch , weil die Farbe macht Flecken .
Kannst du bitte die Pflanzen gießen , während wir weg sind ?
Das Museum ist an Montagen und an Feiertagen geschlossen .
Seit der Unfall sie kann ihren linken Arm nicht .
Welcher dieser beiden Termine passt Ihnen besser ?
Wischen Sie die Linse mit einem trockenen und weichen Kleidung .
Die Galerie zeigt Zeichnungen aus dem sechzehnten Jahrhundert .
Der Ball flog über den Zaun in der Garten von Herr Jung .
Gäste müssen ihre Zimmer bis elf Uhr verlassen .
Wir aßen unsere Sandwiches auf einem Bank in dem Park .
Er reparierte das Dach selbst und rettete viel Geld .
Halten Sie die Macht Taste für zehn Sekunden gedrückt .
Backen Sie den Kuchen bei 180 Grad für etwa vierzehn Minuten .
Könntest du mir bis Freitag zwanzig Euro leihen ?
Stellen Sie die Suppenteller in den oberen Schrank , nicht in die Schublade .
Die Nachbarn waren so laut , dass ich konnte nicht schlafen .
Die Schlüsselkarte öffnet die vordere Tür und die Garage .
Der Flug aus London musste in Hamburg landen .
Wenn Sie möchten , können wir das Buch als Gift verpacken .
Ein Hund muss in der Straßenbahn einen Maulkorb tragen .
Das Warenhaus brannte innerhalb einer Stunde vollständig .
Die Sitze in der ersten Reihe sind für unsere Gäste reserviert .
Zu viel Sonne kann die Haut von kleiner Kindern schaden .
Er ist Patient mit alle den alten Leuten auf seiner Station .
Beste Grüße von uns allen aus dem Vertriebsteam .
Wir würden einen Tisch an dem Fenster .
Die Praxis ist im August für zwei Wochen geschlossen .
Die Pumpe startet automatisch , sobald der Wasserstand sinkt .
Diese Droge kann Ihre Fähigkeit zu fahren beeinflussen .
Wir möchten für das ganze Wochenende ein Auto rent .
Bitte halten Sie Ihren Sitz Gürtel befestigt während des Sitzens .
Wir spendeten drei Wochen auf einer Farm nahe Konstanzsee .
Niemand glaubte der Junge , als er die Wahrheit sagte .
Sie sollten einen Helm tragen , wenn Sie Fahrrad fahren .
Der Teppich ist braun , aber die Treppe ist grau .
Lassen Sie mich wissen , wenn Sie etwas anderes brauchen von mir .
Die Trommel sollte sich frei drehen , sobald der Gürtel entfernt wurde .
Der Arzt hörte mein Herz und die Lunge ab .
Es gibt ein Loch in der Tasche von mein Mantel .
Geben Sie den Code , den wir an Ihr Telefon gesendet haben .
Dieser Fehler tritt normalerweise auf , wenn die Fahrt fast voll ist .
Die Abteilung spendet zu viel Geld auf Papier .
Die Tabletten sollten zusammen mit Nahrung eingenommen werden .
Wo kann ich in der Nähe des Bahnhofs Geld wechseln ?
Der Verteidiger verletzte sich am Knie und wird das Finale vermissen .
Die Physiotherapeutin zeigte mir Übungen für meine Schulter .
Drücken Sie den grünen Schlüssel , um die neuen settings zu retten .
Geldautomaten laden auf zu fünf Euro für ausländische Karten .
Der Stürmer traf in den letzten zehn Minuten zweimal .
Wir hatten zwei Einzelzimmer gebucht , bekamen aber ein Doppelzimmer .
Geben Sie die aktuelle Anzahl der gearbeiteten Stunden in den Tisch ein .
Entfernen Sie die hintere Abdeckung des Fall mit einem kleinen Schraubendreher .
