Der Laden akzeptiert nur Bargeld und gibt keine Änderung für große Notizen .
Der Radiosender entschuldigte sich für die falsche Meldung .
Der Arzt konnte die Ursache der Schmerzen finden .
Sie können am See Fahrräder und kleine Boote mieten .
Ein unbekannter Mann warf einen Stein durch das Fenster des Rathauses .
Die Maschine muss nicht ohne die schützende Abdeckung betrieben werden .
Unser Vermieter will die Rente um acht Prozent erhöhen .
Gießen Sie zwei Liter kaltes Wasser in den Tank .
Mir wurde aktuell ein Rabatt von zwanzig Prozent .
In der Dunkel ich zog an zwei verschiedene Socken .
Ich freue mich darauf , bald von Ihnen zu hören .
Bitte lassen Sie die Tasten an dem Frontschreibtisch , wenn Sie auschecken .
Haben Sie meine Nachricht von gestern Morgen erhalten ?
Die App schließt von selbst , sobald ich die Kamera öffne .
Es dauerte eine Weile , das richtige Formular zu finden .
Der Kellner empfahl einen trockenen Weißwein aus die Region .
Das leaflet listet alle bekannten Nebenwirkungen der Droge auf .
Die Prüfung war so schwierig , dass nur drei Studenten bestanden .
Wir werden eine volle refund innerhalb von zehn Arbeitstagen ausstellen .
Er bekam sehr wütend , als er sah die Rechnung .
Greifen Sie nicht in die laufende Maschine .
Das Unternehmen stimmte eventuell zu , den vollen Betrag zu bezahlen .
Meine Tante schickt uns jeden Sommer eine Karte aus Italien .
Der Bericht wurde veröffentlicht , obwohl das Ministerium hatte gewarnt dagegen .
Die Rechnung enthält eine shipping Ladung von 6.90 Euro .
Der Aufzug ist außer Betrieb , bitte benutzen Sie also die Treppe .
Der Campingplatz ist von April bis Oktober geöffnet .
Öffnen Sie den folder und kopieren Sie alle Dateien auf die externe Fahrt .
Der Parteichef trat nach nur acht Wochen im Büro zurück .
Sie wird ab August in Elternzeit sein .
Das Mikrofon funktioniert , wenn das Headset eingesteckt ist .
Die Geschichte beginnt in einem Schloss auf einer einsamen Insel .
Der freie Speicherplatz reicht für die Installation nicht aus .
Herr Zimmermann wurde mit großer Mehrheit zum Vorsitzenden gewählt .
Herr Bäcker ist nicht im Büro bis nächsten Montag .
Das schedule der Meisterschaft wurde noch nicht veröffentlicht worden .
Ich verbringe das Wochenende normalerweise mit meinen Freunden .
Der Gewinner des Rennens kommt aus ein kleinen Dorf in Kenia .
Der Frühling in dem Deckel ist gebrochen und muss ersetzt werden .
Es tut uns leid , dass der blaue Mantel , den Sie am 12. Oktober bestellt haben , in Ihrer Größe nicht mehr verfügbar ist .
Die Nachtschwester checkt auf die geduldigen alle zwei Stunden .
Schütteln Sie die Flasche vor jeder Gebrauch .
Der Download dauert etwa fünf Minuten auf einer fast Verbindung .
Starker Regen überflutete mehrere Keller im Norden der Stadt .
Der Schnee vor der Tür ist einen halben Meter tief .
Nehmen Sie diese Droge nicht , wenn Sie schwanger sind .
Die Opposition rief den Plan teuer und unfair .
Sie hat seit dem Wochenende Halsschmerzen .
Sie sollten während der Behandlung keinen Alkohol trinken .
Berühren Sie das Brett nicht , bevor der aktuelle ausgeschaltet ist .
Die Karten kosten für Kinder unter sechs nichts .
Der Zug nach Venedig verlässt von Plattform sieben .
Das Hotel ist nicht weit vom Bahnhof , aber es ist .
Unser sensibler Chef schickte alle nach Hause vor dem Sturm .
Der Ölpreis fiel am Freitag unter siebzehn Dollar .
Die Wunde sollte mindestens fünf Tage trocken gehalten werden .
Das neue Stadion sitzt 45,000 Fans und kostet 180 Milliarden Euro .
Am Abend verursachte der Nebel lange Verspätungen am Flughafen .
Frau Schäfer wird Ihnen das Warenhaus zuerst zeigen , und und nach Mittagessen Sie werden treffen den Rest des Teams .
Der Techniker ersetzte das Hauptbrett und getestet alle Häfen .
